/* Stand-in for the compiler's own header: the C library's is the one to read. */
#include_next <stdint.h>
