#include "text/wordpiece.h"
#include "text/bert_chars.h"
#include "text/utf8.h"
#include "text/word_map.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORD_CHARACTERS_MAX = 100, /* a longer word is [UNK] without a look (BERT's max_input_chars_per_word) */
    LITERALS_MAX = 5,
    LOOKAHEAD = 8,            /* normalised characters that are read ahead; covers LATE_LITERAL */
    LITERAL_MARK = INT32_MIN, /* in the queue: LITERAL_MARK | number stands for a literal token */
};
static_assert(LOOKAHEAD >= 5, "the literal looked for after normalising has 5 characters");

struct tokenizer {
    char *text; /* owned; the vocabulary's bytes, which `words` points into */
    word_map words;
    size_t longest_token_bytes;
    int32_t size, class_id, separator_id, unknown_id;
    /* Special tokens that count as themselves when they stand in the raw text, exactly so. */
    struct {
        const char *token;
        size_t bytes;
        int32_t id;
    } literals[LITERALS_MAX];
    int literal_count;
    int32_t late_literal_id; /* of LATE_LITERAL, which is looked for in the normalised text; -1: not */
};

/* The literals of the public tokenizer files of bert-base-uncased and all-mpnet-base-v2. */
static const char *const bert_literals[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", NULL};
static const char *const mpnet_literals[] = {"<s>", "<pad>", "</s>", "<mask>", "[UNK]", NULL};
static const char LATE_LITERAL[] = "<unk>"; /* of MPNet alone */

/* ---------------------------------------------------------------- the vocabulary */

static bool is_utf8(const char *text, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        utf8proc_int32_t code;
        const utf8proc_ssize_t taken =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(bytes - at), &code);
        if (taken < 1) return false;
        at += (size_t)taken;
    }
    return true;
}

static sat_status add_line(tokenizer *t, const char *line, size_t bytes, sat_error *error)
{
    const int number = t->size + 1; /* as a person counts lines */
    int32_t held;
    if (t->size == INT32_MAX) return sat_fail(error, SAT_BAD_INPUT, "the vocabulary has too many lines");
    if (bytes == 0)
        return sat_fail(error, SAT_BAD_INPUT, "line %d of the vocabulary is empty; is this the encoder's vocab.txt?",
                        number);
    if (!is_utf8(line, bytes))
        return sat_fail(error, SAT_BAD_INPUT,
                        "line %d of the vocabulary is not UTF-8 text; is this the encoder's vocab.txt?", number);
    const sat_status status = word_map_add(&t->words, line, bytes, t->size, &held, error);
    if (status != SAT_OK) return status;
    if (held != t->size)
        return sat_fail(error, SAT_BAD_INPUT, "the vocabulary has the token \"%.*s\" twice, in lines %d and %d",
                        (int)(bytes < 60 ? bytes : 60), line, (int)held + 1, number);
    if (bytes > t->longest_token_bytes) t->longest_token_bytes = bytes;
    t->size++;
    return SAT_OK;
}

static sat_status add_lines(tokenizer *t, size_t bytes, sat_error *error)
{
    const char *at = t->text, *end = t->text + bytes;
    size_t lines = 0;
    if (bytes >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) at += 3; /* byte-order mark */
    while (end > at && (end[-1] == '\n' || end[-1] == '\r'))
        end--;
    for (const char *c = at; c < end; c++)
        lines += *c == '\n';
    sat_status status = word_map_reserve(&t->words, lines + 1, error);
    while (at < end && status == SAT_OK) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        const char *next = line_end ? line_end + 1 : end;
        if (!line_end) line_end = end;
        if (line_end > at && line_end[-1] == '\r') line_end--;
        status = add_line(t, at, (size_t)(line_end - at), error);
        at = next;
    }
    return status;
}

int32_t tokenizer_find(const tokenizer *t, const char *token) { return word_map_find(&t->words, token, strlen(token)); }

static sat_status find_required(const tokenizer *t, const char *token, int32_t *id, sat_error *error)
{
    *id = tokenizer_find(t, token);
    if (*id >= 0) return SAT_OK;
    return sat_fail(error, SAT_BAD_INPUT,
                    "the vocabulary (%d lines) lacks the token %s; is this the encoder's vocab.txt?", (int)t->size,
                    token);
}

static sat_status find_specials(tokenizer *t, text_kind kind, sat_error *error)
{
    sat_status status = find_required(t, "[CLS]", &t->class_id, error);
    if (status == SAT_OK) status = find_required(t, "[SEP]", &t->separator_id, error);
    if (status == SAT_OK) status = find_required(t, "[UNK]", &t->unknown_id, error);
    if (status != SAT_OK) return status;

    const char *const *literals = kind == TEXT_MPNET ? mpnet_literals : bert_literals;
    for (; *literals; literals++) {
        const int32_t id = tokenizer_find(t, *literals);
        if (id < 0) continue;
        t->literals[t->literal_count].token = *literals;
        t->literals[t->literal_count].bytes = strlen(*literals);
        t->literals[t->literal_count++].id = id;
    }
    t->late_literal_id = kind == TEXT_MPNET ? tokenizer_find(t, LATE_LITERAL) : -1;
    return SAT_OK;
}

sat_status tokenizer_open(text_kind kind, const void *vocabulary, size_t bytes, tokenizer **made, sat_error *error)
{
    sat_status status = SAT_NO_MEMORY;
    tokenizer *t = calloc(1, sizeof *t);
    *made = NULL;
    if (t) t->text = malloc(bytes + 1);
    if (!t || !t->text) {
        sat_fail(error, SAT_NO_MEMORY, "a vocabulary of %zu bytes does not fit into memory", bytes);
        goto done;
    }
    if (bytes) memcpy(t->text, vocabulary, bytes);
    status = add_lines(t, bytes, error);
    if (status == SAT_OK) status = find_specials(t, kind, error);
done:
    if (status == SAT_OK)
        *made = t;
    else
        tokenizer_close(t);
    return status;
}

void tokenizer_close(tokenizer *t)
{
    if (!t) return;
    word_map_close(&t->words);
    free(t->text);
    free(t);
}

int32_t tokenizer_size(const tokenizer *t) { return t->size; }

/* ---------------------------------------------------------------- normalised characters, as a stream */

/* Reads a text and holds the next few characters after normalising; literal tokens are one item each. */
typedef struct stream {
    const tokenizer *t;
    const char *at, *end;
    int32_t queue[LOOKAHEAD + BERT_CHARS_MAX]; /* code points, or LITERAL_MARK | number */
    int queued;
} stream;

/* The literal token that stands at the reading position: its place in t->literals, or -1. No literal begins
 * another, so there is at most one. */
static int literal_here(const stream *s)
{
    const size_t left = (size_t)(s->end - s->at);
    if (*s->at != '<' && *s->at != '[') return -1;
    for (int i = 0; i < s->t->literal_count; i++)
        if (s->t->literals[i].bytes <= left && memcmp(s->at, s->t->literals[i].token, s->t->literals[i].bytes) == 0)
            return i;
    return -1;
}

static void fill(stream *s)
{
    while (s->queued < LOOKAHEAD && s->at < s->end) {
        const int literal = literal_here(s);
        if (literal >= 0) {
            s->queue[s->queued++] = LITERAL_MARK | s->t->literals[literal].id;
            s->at += s->t->literals[literal].bytes;
            continue;
        }
        uint32_t code, becomes[BERT_CHARS_MAX];
        s->at += utf8_read(s->at, (size_t)(s->end - s->at), &code);
        const int count = bert_chars_normalise(code, becomes);
        for (int i = 0; i < count; i++)
            s->queue[s->queued++] = (int32_t)becomes[i];
    }
}

static void drop_front(stream *s, int count)
{
    s->queued -= count;
    memmove(s->queue, s->queue + count, (size_t)s->queued * sizeof *s->queue);
}

static bool late_literal_is_next(const stream *s)
{
    const int length = (int)sizeof LATE_LITERAL - 1;
    if (s->t->late_literal_id < 0 || s->queued < length) return false;
    for (int i = 0; i < length; i++)
        if (s->queue[i] != LATE_LITERAL[i]) return false;
    return true;
}

/* The next character (true), or literal token (*code is LITERAL_MARK | number); false at the end. */
static bool next(stream *s, int32_t *code)
{
    fill(s);
    if (s->queued == 0) return false;
    if (late_literal_is_next(s)) {
        *code = LITERAL_MARK | s->t->late_literal_id;
        drop_front(s, (int)sizeof LATE_LITERAL - 1);
    } else {
        *code = s->queue[0];
        drop_front(s, 1);
    }
    return true;
}

/* ---------------------------------------------------------------- words to pieces */

typedef struct word {
    char text[2 + WORD_CHARACTERS_MAX * UTF8_BYTES_MAX]; /* two bytes are kept free for "##" */
    size_t bytes;
    int characters; /* goes on counting past the limit, while `text` stops there */
} word;

static void word_append(word *w, uint32_t code)
{
    if (w->characters++ < WORD_CHARACTERS_MAX) w->bytes += utf8_write(code, w->text + 2 + w->bytes);
}

typedef struct id_list {
    int32_t *ids;
    int count, room; /* of what is past the room only the number is kept */
} id_list;

static void append(id_list *list, int32_t id)
{
    if (list->count < list->room) list->ids[list->count] = id;
    list->count++;
}

/* The longest piece that the vocabulary has at `from` of the word: its number, and *bytes of the word that it covers;
 * -1 if there is none. Pieces inside a word are spelt "##...": the two bytes before `from` are lent for that. */
static int32_t longest_piece(const tokenizer *t, word *w, size_t from, size_t *bytes)
{
    char *start = w->text + 2 + from, *key = from ? start - 2 : start, lent[2];
    const size_t prefix = from ? 2 : 0;
    int32_t id = -1;
    memcpy(lent, start - 2, 2);
    if (prefix) memcpy(key, "##", 2);
    for (size_t length = w->bytes - from; length > 0 && id < 0; length--) {
        if (prefix + length > t->longest_token_bytes) continue;
        if (length < w->bytes - from && ((unsigned char)start[length] & 0xc0) == 0x80)
            continue; /* inside a character */
        id = word_map_find(&t->words, key, prefix + length);
        *bytes = length;
    }
    memcpy(start - 2, lent, 2);
    return id;
}

static void append_word(const tokenizer *t, word *w, id_list *list)
{
    const int before = list->count;
    if (w->characters > WORD_CHARACTERS_MAX) {
        append(list, t->unknown_id);
    } else {
        size_t bytes = 0;
        for (size_t from = 0; from < w->bytes; from += bytes) {
            const int32_t id = longest_piece(t, w, from, &bytes);
            if (id < 0) { /* then the whole word is unknown, not only the rest */
                list->count = before;
                append(list, t->unknown_id);
                break;
            }
            append(list, id);
        }
    }
    w->bytes = 0;
    w->characters = 0;
}

int tokenizer_ids(const tokenizer *t, const char *text, size_t bytes, int longest, int32_t *ids)
{
    assert(longest >= 2);
    stream s = {.t = t, .at = text, .end = text + bytes};
    id_list list = {.ids = ids + 1, .room = longest - 2};
    word w = {.bytes = 0};
    int32_t code;
    ids[0] = t->class_id;
    while (list.count < list.room && next(&s, &code)) { /* what is cut off need not be read */
        if (code >= 0 && code != ' ' && !bert_chars_is_punctuation((uint32_t)code)) {
            word_append(&w, (uint32_t)code);
            continue;
        }
        append_word(t, &w, &list);
        if (code < 0) {
            append(&list, code & INT32_MAX);
        } else if (code != ' ') {
            word_append(&w, (uint32_t)code);
            append_word(t, &w, &list);
        }
    }
    append_word(t, &w, &list);
    const int kept = list.count < list.room ? list.count : list.room;
    ids[1 + kept] = t->separator_id;
    return kept + 2;
}
