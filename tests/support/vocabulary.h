/* Tokenizers over the vocabularies in tests/golden/vocab. */
#ifndef SAT_TESTS_VOCABULARY_H
#define SAT_TESTS_VOCABULARY_H

#include "text/wordpiece.h"

/* The tokenizer of tests/golden/vocab/<name>; fails the running test when it can't be had. The caller closes it. */
tokenizer *open_vocabulary(text_kind kind, const char *name);

#endif
