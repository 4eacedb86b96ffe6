/* QL_SANITIZED where the address sanitizer watches. Tests that repeat one computation for the sake
 * of its numbers repeat it less there: the same code runs, and the plain build has checked the
 * numbers. */
#ifndef SANITIZED_H
#define SANITIZED_H

#ifdef __SANITIZE_ADDRESS__ /* gcc */
#define QL_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) /* clang */
#define QL_SANITIZED
#endif
#endif

#endif
