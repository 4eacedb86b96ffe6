/* Growable strings, UTF-8, notes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <string.h>

#include "quell/alloc.h"
#include "quell/notes.h"
#include "quell/strbuf.h"
#include "quell/utf8.h"

static void appends_grow_the_string(void **state)
{
    (void)state;
    ql_str s = {0};
    assert_string_equal(ql_str_text(&s), "");
    for (int i = 0; i < 1000; i++) ql_str_printf(&s, "%d,", i);
    assert_int_equal(s.len, 3890);
    assert_int_equal(strlen(s.text), s.len);
    assert_string_equal(s.text + s.len - 8, "998,999,");
    ql_str_clear(&s);
    ql_str_puts(&s, "a");
    ql_str_bytes(&s, "bcd", 2);
    assert_string_equal(ql_str_text(&s), "abc");
    assert_false(s.failed);
    ql_str_free(&s);
    assert_null(s.text);
    ql_str_free(NULL);
}

static void lack_of_memory_is_remembered(void **state)
{
    (void)state;
    ql_str s = {0};
    ql_str_puts(&s, "kept");
    ql_alloc_fail_after(1);
    for (int i = 0; i < 100; i++) ql_str_puts(&s, "0123456789");
    assert_true(s.failed);
    assert_true(s.len < 100);
    assert_int_equal(strncmp(s.text, "kept", 4), 0);
    ql_str_free(&s);
}

static void check_escape(const char *bytes, size_t n, const char *expected)
{
    ql_str s = {0};
    ql_str_escape(&s, bytes, n);
    assert_string_equal(ql_str_text(&s), expected);
    ql_str_free(&s);
}

static void unsafe_bytes_are_shown_as_hex(void **state)
{
    (void)state;
    check_escape("Actb", 4, "Actb");
    check_escape("a\tb\n", 4, "a\\x09b\\x0A");
    check_escape("\0x", 2, "\\x00x");
    check_escape("\xce\xb2", 2, "\xce\xb2");            /* a Greek letter stays */
    check_escape("\xe9t", 2, "\\xE9t");                 /* Latin-1 */
    check_escape("\xc2\x9b", 2, "\\xC2\\x9B");          /* a terminal's CSI */
    check_escape("\xe2\x80\xae", 3, "\\xE2\\x80\\xAE"); /* right-to-left override */
    check_escape("\x1b[2J", 4, "\\x1B[2J");
    check_escape("", 0, "");
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    char text[200];
    memset(text, 'a', sizeof text);
    ql_str s = {0};
    ql_str_escape(&s, text, 80);
    assert_int_equal(s.len, 80);
    ql_str_clear(&s);
    ql_str_escape(&s, text, 81);
    assert_int_equal(s.len, 83);
    assert_string_equal(s.text + 80, "...");
    ql_str_free(&s);
}

static void utf8_is_checked_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t used;
        uint32_t code;
    } cases[] = {
        {"A", 1, 'A'},
        {"\xc3\xa9", 2, 0xe9},
        {"\xe2\x82\xac", 3, 0x20ac},
        {"\xf0\x9f\xa7\xac", 4, 0x1f9ec},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
        {"\x80", 0, 0},             /* a continuation byte alone */
        {"\xc3", 0, 0},             /* cut short */
        {"\xc3\x41", 0, 0},         /* no continuation */
        {"\xc0\x80", 0, 0},         /* overlong */
        {"\xe0\x80\xaf", 0, 0},     /* overlong */
        {"\xf0\x80\x80\xaf", 0, 0}, /* overlong */
        {"\xed\xa0\x80", 0, 0},     /* surrogate */
        {"\xf4\x90\x80\x80", 0, 0}, /* above U+10FFFF */
        {"\xf8\x88\x80\x80\x80", 0, 0},
        {"\xff", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t code = 0;
        assert_int_equal(ql_utf8_char(cases[i].bytes, strlen(cases[i].bytes), &code),
                         cases[i].used);
        assert_int_equal(code, cases[i].code);
        assert_int_equal(ql_utf8_valid(cases[i].bytes, strlen(cases[i].bytes)), cases[i].used > 0);
    }
    assert_true(ql_utf8_valid("", 0));
    assert_int_equal(ql_utf8_char("", 0, NULL), 0);
}

static void cuts_spare_characters(void **state)
{
    (void)state;
    const char *text = "a\xe2\x82\xac"
                       "b";
    const size_t expected[] = {0, 1, 1, 1, 4, 5};
    for (size_t n = 0; n <= 5; n++) assert_int_equal(ql_utf8_cut(text, n), expected[n]);
    assert_int_equal(ql_utf8_cut("\x80\x80\x80\x80\x80\x80", 6), 6);
}

static void texts_are_copied(void **state)
{
    (void)state;
    ql_err err;
    char *copy = NULL;
    assert_int_equal(ql_text_copy("raw/X", &copy, &err), QL_OK);
    assert_string_equal(copy, "raw/X");
    ql_free(copy);
    assert_int_equal(ql_text_copy(NULL, &copy, &err), QL_OK);
    assert_string_equal(copy, "");
    ql_free(copy);
}

static void notes_are_kept_in_order(void **state)
{
    (void)state;
    int64_t before = ql_alloc_bytes();
    ql_notes notes = {0};
    for (int i = 0; i < 50; i++) ql_note_add(&notes, QL_NOTE_INFO, "dropped %d cells", i);
    ql_note_add(&notes, QL_NOTE_WARNING, "looks log-normalised");
    assert_int_equal(notes.n, 51);
    assert_string_equal(notes.items[7].text, "dropped 7 cells");
    assert_int_equal(notes.items[50].level, QL_NOTE_WARNING);
    ql_note_add(NULL, QL_NOTE_INFO, "dropped");
    ql_notes_free(&notes);
    ql_notes_free(NULL);
    assert_int_equal(ql_alloc_bytes(), before);
}

static void check_safe(const char *text, const char *expected)
{
    char copy[64];
    (void)snprintf(copy, sizeof copy, "%s", text);
    ql_utf8_make_safe(copy);
    assert_string_equal(copy, expected);
}

/* U+009B begins a command of a terminal, U+202E turns the line around. */
static void texts_are_made_safe(void **state)
{
    (void)state;
    check_safe("", "");
    check_safe("caf\xC3\xA9 \xF0\x9F\x98\x80", "caf\xC3\xA9 \xF0\x9F\x98\x80");
    check_safe("a\x1B[2J\nb", "a?[2J?b");
    check_safe("a\xC2\x9Bm\xE2\x80\xAEz", "a?m?z");
    check_safe("caf\xE9\xC3", "caf??");
}

static void notes_hold_printable_text(void **state)
{
    (void)state;
    ql_notes notes = {0};
    ql_note_add(&notes, QL_NOTE_INFO, "using %s", "mat\xFFrix\n.mtx");
    assert_string_equal(notes.items[0].text, "using mat?rix?.mtx");
    ql_notes_free(&notes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_grow_the_string),
        cmocka_unit_test(lack_of_memory_is_remembered),
        cmocka_unit_test(unsafe_bytes_are_shown_as_hex),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(utf8_is_checked_strictly),
        cmocka_unit_test(cuts_spare_characters),
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(notes_are_kept_in_order),
        cmocka_unit_test(texts_are_made_safe),
        cmocka_unit_test(notes_hold_printable_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
