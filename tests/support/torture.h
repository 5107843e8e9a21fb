/*
 * torture.h - fails the 1st, 2nd, 3rd, ... allocation of the program under test.
 *
 *   TORTURE(run) { ... the code; every failure it returns is fine, a crash or a leak is not ... }
 *
 * repeats its block until a run needed fewer allocations than the one chosen to fail. Test programs
 * are linked with --wrap=malloc,calloc,realloc; allocations inside shared libraries are not
 * touched.
 */
#ifndef CALVE_TORTURE_H
#define CALVE_TORTURE_H

#include <stdbool.h>

/* The nth allocation from now fails (1 = the next); 0 ends it. */
void torture_fail_at(unsigned long nth);

/* Allocations of the calling thread are neither counted nor failed from now on: a server's that
 * only serves the test. */
void torture_spare_thread(void);

/* Whether the chosen allocation was reached. */
bool torture_hit(void);

#define TORTURE(nth)                                                           \
    for (unsigned long nth = 1, torture_again_ = 1; torture_again_ != 0;       \
         torture_again_ = torture_hit() ? 1 : 0, torture_fail_at(0), nth++)    \
        for (bool torture_once_ = (torture_fail_at(nth), true); torture_once_; \
             torture_once_ = false)

#endif
