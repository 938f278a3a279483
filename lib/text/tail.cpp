#include "text/tail.hpp"

#include <algorithm>
#include <cassert>
#include <cstdio>

namespace coproc::text {
namespace {

/// Follows the first byte of a UTF-8 character, or would.
bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80; }

/// How many bytes the character has that begins here, if it is one as Unicode has it; else 0.
std::size_t character_bytes(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xc2 && first < 0xe0 ? 2
                               : first >= 0xe0 && first < 0xf0 ? 3
                               : first >= 0xf0 && first < 0xf5 ? 4
                                                               : 0;
    if (length == 0 || length > text.size() ||
        !std::all_of(text.begin() + 1, text.begin() + static_cast<std::ptrdiff_t>(length),
                     continues)) {
        return 0;
    }
    // Longer than needed, one half of a UTF-16 pair, beyond the last character.
    const bool wrong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0) ||
                       (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) >= 0x90);
    return wrong ? 0 : length;
}

/// Of a text whose beginning is missing. A character has at most three continuing bytes; more are
/// no UTF-8 anyway.
std::size_t first_whole_character(std::string_view text) {
    std::size_t skipped = 0;
    while (skipped < text.size() && skipped < 3 && continues(text[skipped])) {
        ++skipped;
    }
    return skipped;
}

/// The longest beginning of at most `max_bytes` that ends with a whole character.
std::string_view whole_characters(std::string_view text, std::size_t max_bytes) {
    if (text.size() <= max_bytes) {
        return text;
    }
    std::size_t end = max_bytes;
    for (int back = 0; back < 3 && end > 0 && continues(text[end]); ++back) {
        --end;
    }
    return text.substr(0, continues(text[end]) ? max_bytes : end);
}

void append_escaped(std::string& out, unsigned char byte) {
    switch (byte) {
    case '\n':
        out += "\\n";
        return;
    case '\t':
        out += "\\t";
        return;
    case '\r':
        out += "\\r";
        return;
    default:
        char digits[5];
        std::snprintf(digits, sizeof digits, "\\x%02x", byte);
        out += digits;
    }
}

/// A character that steers a terminal: C0, DEL, and C1, which in UTF-8 begins with c2.
bool is_control(std::string_view character) {
    const auto first = static_cast<unsigned char>(character[0]);
    return first < 0x20 || first == 0x7f ||
           (first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0);
}

} // namespace

tail::tail(std::size_t capacity) : ring_(capacity) { assert(capacity >= 1); }

void tail::append(std::string_view bytes) noexcept {
    const std::size_t capacity = ring_.size();
    if (bytes.size() > capacity) {
        before_ = bytes[bytes.size() - capacity - 1];
        bytes.remove_prefix(bytes.size() - capacity);
        size_ = 0;
        next_ = 0;
    } else if (const std::size_t total = size_ + bytes.size(); total > capacity) {
        const std::size_t dropped = total - capacity;
        const std::size_t oldest = (next_ + capacity - size_) % capacity;
        before_ = ring_[(oldest + dropped - 1) % capacity];
        size_ -= dropped;
    }
    const std::size_t until_end = std::min(bytes.size(), capacity - next_);
    std::copy_n(bytes.begin(), until_end, ring_.begin() + static_cast<std::ptrdiff_t>(next_));
    std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(until_end), bytes.end(), ring_.begin());
    next_ = (next_ + bytes.size()) % capacity;
    size_ += bytes.size();
}

std::string tail::text() const {
    const std::size_t oldest = (next_ + ring_.size() - size_) % ring_.size();
    std::string kept;
    kept.reserve(size_);
    for (std::size_t i = 0; i < size_; ++i) {
        kept += ring_[(oldest + i) % ring_.size()];
    }
    if (before_ == '\n') {
        return kept;
    }
    const std::size_t line_end = kept.find('\n');
    if (line_end != std::string::npos && line_end + 1 < kept.size()) {
        return kept.substr(line_end + 1);
    }
    return kept.substr(first_whole_character(kept));
}

std::string_view last_lines(std::string_view text, std::size_t max_lines, std::size_t max_bytes) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
        text.remove_suffix(1);
    }
    std::size_t begin = text.size();
    for (std::size_t lines = 0; lines < max_lines && begin > 0; ++lines) {
        // `begin` is the end of the text, or the first byte of the line before which we look.
        const std::size_t end = lines == 0 ? begin : begin - 1;
        const std::size_t line_end = end == 0 ? std::string_view::npos : text.rfind('\n', end - 1);
        const std::size_t first = line_end == std::string_view::npos ? 0 : line_end + 1;
        if (text.size() - first > max_bytes) {
            if (lines == 0) {
                return whole_characters(text.substr(first), max_bytes);
            }
            break;
        }
        begin = first;
    }
    return text.substr(begin);
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    while (!text.empty()) {
        const std::size_t length = character_bytes(text);
        const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
        if (length == 0 || is_control(character)) {
            for (const char byte : character) {
                append_escaped(out, static_cast<unsigned char>(byte));
            }
        } else {
            if (character == "\"" || character == "\\") {
                out += '\\';
            }
            out += character;
        }
        text.remove_prefix(character.size());
    }
    return out + '"';
}

} // namespace coproc::text
