/* Fuzz targets as tests: the corpus, and random changes of its files, through the target on every build. */
#ifndef SAT_TESTS_REPLAY_H
#define SAT_TESTS_REPLAY_H

#include <stddef.h>
#include <stdint.h>

/* Runs `target` over each file of `folder` and over `changes` damaged copies of it: bytes changed, and cut off. Copies lie in
 * memory of their exact size, so that the sanitizers see reading past the end. Fails the running test when there are fewer than
 * `least` files. */
void replay_corpus(const char *folder, int (*target)(const uint8_t *data, size_t size), int changes, int least);

#endif
