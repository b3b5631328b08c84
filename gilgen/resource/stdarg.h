/* Stand-in for the compiler's own header, for reading declarations only. */
#ifndef GILGEN_GNUC_VA_LIST
#define GILGEN_GNUC_VA_LIST
typedef __builtin_va_list __gnuc_va_list;
#endif
#undef __need___va_list
#ifndef GILGEN_STDARG_H
#define GILGEN_STDARG_H
typedef __builtin_va_list va_list;
#define va_start(list, last) __builtin_va_start(list, last)
#define va_end(list) __builtin_va_end(list)
#define va_arg(list, type) __builtin_va_arg(list, type)
#define va_copy(to, from) __builtin_va_copy(to, from)
#endif
