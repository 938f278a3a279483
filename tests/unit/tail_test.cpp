#include "support/catch.hpp"
#include "text/tail.hpp"

#include <cstddef>
#include <random>
#include <string>

using coproc::text::last_lines;
using coproc::text::quoted;
using coproc::text::tail;

namespace {

std::string tail_of(std::size_t capacity, std::initializer_list<std::string_view> pieces) {
    tail kept(capacity);
    for (const std::string_view piece : pieces) {
        kept.append(piece);
    }
    return kept.text();
}

/// What a tail must give, said without a ring.
std::string expected(const std::string& all, std::size_t capacity) {
    if (all.size() <= capacity || all[all.size() - capacity - 1] == '\n') {
        return all.substr(all.size() - std::min(all.size(), capacity));
    }
    std::string kept = all.substr(all.size() - capacity);
    const std::size_t end = kept.find('\n');
    return end == std::string::npos || end + 1 == kept.size() ? kept : kept.substr(end + 1);
}

} // namespace

TEST_CASE("a tail keeps all of what fits") {
    CHECK(tail_of(8, {}).empty());
    CHECK(tail(8).empty());
    CHECK(tail_of(8, {"", ""}).empty());
    CHECK(tail_of(8, {"abc"}) == "abc");
    CHECK(tail_of(8, {"abc", "de", "fgh"}) == "abcdefgh");
    CHECK(tail_of(8, {"abcdefgh"}) == "abcdefgh");
    CHECK(tail_of(1, {"a"}) == "a");
}

TEST_CASE("a tail keeps the last bytes, from a whole line on") {
    CHECK(tail_of(8, {"one\ntwo\nthree"}) == "three");
    CHECK(tail_of(8, {"one\n", "two\n", "four"}) == "two\nfour"); // cut at the line end
    CHECK(tail_of(8, {"one\n", "two\n", "three\n"}) == "three\n");
    CHECK(tail_of(4, {"abcdefgh"}) == "efgh");   // one line: its end
    CHECK(tail_of(4, {"abcdefg\n"}) == "efg\n"); // also with its line end
    CHECK(tail_of(4, {"ab", "cd", "ef", "gh"}) == "efgh");
    CHECK(tail_of(1, {"ab", "c"}) == "c");
    CHECK_FALSE([] {
        tail kept(4);
        kept.append("x");
        return kept.empty();
    }());
}

TEST_CASE("a tail does not begin inside a character") {
    CHECK(tail_of(3, {"a\u20ac"}) == "\u20ac");
    CHECK(tail_of(2, {"a\u20ac"}).empty());                    // two of its three bytes
    CHECK(tail_of(4, {"\u20acabc"}) == "abc");                 // one of them
    CHECK(tail_of(4, {"\U0001f600x"}) == "x");                 // three of four
    CHECK(tail_of(4, {"\x80\x80\x80\x80\x80\x80"}) == "\x80"); // no UTF-8: it is not eaten up
}

TEST_CASE("a tail is right for any pieces") {
    std::minstd_rand random(7);
    for (int round = 0; round < 2000; ++round) {
        const std::size_t capacity = 1 + random() % 40;
        tail kept(capacity);
        std::string all;
        for (int piece = 0; piece < 12; ++piece) {
            std::string bytes(random() % 60, ' ');
            for (char& byte : bytes) {
                byte = random() % 9 == 0 ? '\n' : static_cast<char>('a' + random() % 26);
            }
            kept.append(bytes);
            all += bytes;
            REQUIRE(kept.text() == expected(all, capacity));
        }
    }
}

TEST_CASE("the last lines are whole, and few") {
    CHECK(last_lines("", 3, 100).empty());
    CHECK(last_lines("\n\r\n", 3, 100).empty());
    CHECK(last_lines("one", 3, 100) == "one");
    CHECK(last_lines("one\ntwo\n", 3, 100) == "one\ntwo");
    CHECK(last_lines("one\ntwo\nthree\nfour\n\n", 2, 100) == "three\nfour");
    CHECK(last_lines("one\ntwo\nthree\nfour", 4, 100) == "one\ntwo\nthree\nfour");
    CHECK(last_lines("one\ntwo\nthree\nfour", 9, 10) == "three\nfour");
    CHECK(last_lines("one\ntwo\nthree\nfour", 9, 9) == "four");
    CHECK(last_lines("one\n\ntwo", 2, 100) == "\ntwo");
    CHECK(last_lines("\none", 5, 100) == "\none");
    CHECK(last_lines("one\ntwo", 0, 100).empty());
    CHECK(last_lines("first line\nabcdefgh", 3, 4) == "abcd"); // the beginning of the last line
    CHECK(last_lines("a\u20ac", 3, 3) == "a");                 // at a whole character
    CHECK(last_lines("\x80\x80\x80\x80\x80\x80", 1, 5) == "\x80\x80\x80\x80\x80");
}

TEST_CASE("a quoted text stays on its line and does nothing to a terminal") {
    CHECK(quoted("") == "\"\"");
    CHECK(quoted("plain text") == "\"plain text\"");
    CHECK(quoted("a\nb\tc\r") == "\"a\\nb\\tc\\r\"");
    CHECK(quoted("say \"no\" \\ never") == "\"say \\\"no\\\" \\\\ never\"");
    CHECK(quoted("\x1b[31mred\x7f") == "\"\\x1b[31mred\\x7f\"");
    CHECK(quoted(std::string_view("\0", 1)) == "\"\\x00\"");
    CHECK(quoted("\u00e4\u20ac\U0001f600") == "\"\u00e4\u20ac\U0001f600\"");
    CHECK(quoted("\u009b") == "\"\\xc2\\x9b\"");   // CSI of eight bits
    CHECK(quoted("\xff\xc3") == "\"\\xff\\xc3\""); // no character, and half of one
    CHECK(quoted("\xc0\xaf\xed\xa0\x80") == "\"\\xc0\\xaf\\xed\\xa0\\x80\""); // not Unicode's
    CHECK(quoted("\xe2\x82z") == "\"\\xe2\\x82z\"");
}
