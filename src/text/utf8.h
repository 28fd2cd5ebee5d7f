/* Characters of UTF-8 text, one at a time. Text is bytes and a length: a NUL is a character like others. */
#ifndef SAT_TEXT_UTF8_H
#define SAT_TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <utf8proc.h>

enum { UTF8_BYTES_MAX = 4, UTF8_REPLACEMENT = 0xfffd };

/* Reads the character at `from` (bytes >= 1 are left) and returns the bytes it takes. A byte that does not begin
 * a whole valid character is one U+FFFD and takes one byte, as Python's errors="replace" nearly does; the tokeniser
 * drops U+FFFD. Thread-safe. */
static inline size_t utf8_read(const char *from, size_t bytes, uint32_t *code)
{
    utf8proc_int32_t read;
    const utf8proc_ssize_t taken = utf8proc_iterate((const utf8proc_uint8_t *)from, (utf8proc_ssize_t)bytes, &read);
    *code = taken > 0 ? (uint32_t)read : UTF8_REPLACEMENT;
    return taken > 0 ? (size_t)taken : 1;
}

/* Writes a character and returns its bytes, at most UTF8_BYTES_MAX. Thread-safe. */
static inline size_t utf8_write(uint32_t code, char *to)
{
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)code, (utf8proc_uint8_t *)to);
}

#endif
