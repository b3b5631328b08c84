/* Stand-in for the compiler's own header, for reading declarations only. */
#if !defined(GILGEN_STDDEF_H) || defined(__need_size_t) || defined(__need_ptrdiff_t) || defined(__need_wchar_t) \
    || defined(__need_NULL) || defined(__need_wint_t)
typedef __SIZE_TYPE__ size_t;
typedef __PTRDIFF_TYPE__ ptrdiff_t;
typedef __WINT_TYPE__ wint_t;
#undef NULL
#ifdef __cplusplus
#define NULL __null
#else
typedef __WCHAR_TYPE__ wchar_t;
#define NULL ((void *)0)
#endif
#undef __need_size_t
#undef __need_ptrdiff_t
#undef __need_wchar_t
#undef __need_NULL
#undef __need_wint_t
#define GILGEN_STDDEF_H
#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif
#if !defined(GILGEN_MAX_ALIGN_T)
#define GILGEN_MAX_ALIGN_T
typedef struct {
  long long integer __attribute__((__aligned__(__alignof__(long long))));
  long double real __attribute__((__aligned__(__alignof__(long double))));
} max_align_t;
#ifdef __cplusplus
typedef decltype(nullptr) nullptr_t;
#endif
#endif
#endif
