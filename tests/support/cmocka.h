/* cmocka and what it wants included before it. */
#ifndef SAT_TESTS_CMOCKA_H
#define SAT_TESTS_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
