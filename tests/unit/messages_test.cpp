#include "wire/messages.hpp"

#include "support/catch.hpp"
#include "support/wire_samples.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <variant>

using namespace coproc::wire;
using test::aligned_copy;
using test::bytes;
using test::to_bytes;

namespace {

/// The envelope of a message, aligned, without header and padding.
template <class Message>
aligned_copy envelope_of(const Message& message) {
    const bytes frame = test::make_frame(message);
    const frame_header header = load_header(frame.data());
    return aligned_copy(
        std::span<const std::byte>(frame).subspan(header_bytes, header.envelope_bytes));
}

/// Does not point into the message that it is compared with.
template <class Message>
void check_command(const Message& message) {
    const aligned_copy envelope = envelope_of(message);
    const command parsed = parse_command(envelope.view());
    REQUIRE(std::holds_alternative<Message>(parsed));
    CHECK(std::get<Message>(parsed) == message);
}

template <class Message>
void check_report(const Message& message) {
    const aligned_copy envelope = envelope_of(message);
    const report parsed = parse_report(envelope.view());
    REQUIRE(std::holds_alternative<Message>(parsed));
    CHECK(std::get<Message>(parsed) == message);
}

task_header some_task() {
    return {.id = 0x1122334455667788,
            .module = 3,
            .function_module = 4,
            .invoker = 0xABCDEF,
            .function = 0xFEDCBA9876543210,
            .deadline_ns = 123456789012345,
            .run_limit_ns = -5,
            .name = "resize"};
}

} // namespace

TEST_CASE("messages: commands come back as they were") {
    check_command(some_task());
    check_command(task_header{});
    check_command(task_header{.name = "x"});
    check_command(module_header{.number = 1, .path = "/usr/lib/libexample.so.1", .build_id = {}});
    const bytes id = test::counting_bytes(20);
    check_command(module_header{.number = 0xFFFFFFFF, .path = "", .build_id = id});
    check_command(request_exit{});
    check_command(clean_up{});
    check_command(clean_up{.limit = UINT64_MAX});
    check_command(extent_header{.number = 1, .bytes = 0x0102030405060708, .inode = 3});
    check_command(forget_extent{.number = 0x0102030405060708});
    check_command(fork_descriptor{});
    check_command(fork_order{});
    check_command(fork_order{.nonce = UINT64_MAX, .number = UINT32_MAX, .slot = 65535});
}

TEST_CASE("messages: reports come back as they were") {
    check_report(reply_header{.sequence = 0});
    check_report(reply_header{.sequence = UINT64_MAX});
    check_report(reply_header{.sequence = 6, .outcome = reply_outcome::part});
    for (const reply_outcome outcome :
         {reply_outcome::unknown_function, reply_outcome::decode_failed, reply_outcome::threw,
          reply_outcome::encode_failed, reply_outcome::too_large}) {
        check_report(reply_header{.sequence = 7, .outcome = outcome, .text = "because"});
        check_report(reply_header{.sequence = 8, .outcome = outcome});
    }
    const bytes id = test::counting_bytes(20);
    check_report(hello{.pid = -1, .nonce = 0xDEADBEEFCAFE, .build_id = id});
    check_report(hello{.version = 99});
    check_report(progress_header{});
    check_report(retire_request());
    check_report(cleaned{});
    check_report(forked{});
    check_report(forked{.number = UINT32_MAX, .pid = -1, .text = "because"});
    check_report(cleaned{.kibibytes = UINT32_MAX});
    check_report(progress_header{.sequence = 9, .sink = 15, .skipped = 1});
    check_report(
        progress_header{.sequence = UINT64_MAX, .sink = UINT16_MAX, .skipped = UINT32_MAX});
    check_report(log_text{"libexample.so.1: cannot open shared object file"});
    check_report(log_text{});
}

TEST_CASE("messages: a task may name an exported function") {
    check_command(task_header{.id = 1, .invoker = 2, .exported = "resize"});
    check_command(task_header{.name = "thumbnail", .exported = "resize"});
    const std::string longest(max_exported_bytes, 'x');
    const std::string name(max_text_bytes, 'n');
    check_command(task_header{.name = name, .exported = longest});
    CHECK(head_bytes(task_header{.name = name, .exported = longest}) <= max_head_bytes);
}

TEST_CASE("messages: a text may hold zero bytes") {
    using namespace std::string_view_literals;
    check_report(log_text{"a\0b\0"sv});
    check_command(task_header{.name = "\0"sv});
}

TEST_CASE("messages: the head is header, envelope and zeros up to a multiple of 16") {
    alignas(16) std::byte out[max_head_bytes];
    for (const std::string_view name : {"", "1", "1234567", "12345678", "123456789012345"}) {
        std::memset(out, 0xFF, sizeof out);
        const task_header task{.name = name};
        const std::size_t size = encode(task, 100, out);
        CHECK(size == head_bytes(task));
        CHECK(size % frame_alignment == 0);
        const frame_header header = load_header(out);
        CHECK(header.zero == 0);
        CHECK(header.payload_bytes == 100);
        CHECK(header.envelope_bytes % 8 == 0);
        CHECK(header_bytes + padded(header.envelope_bytes) == size);
        for (std::size_t i = header_bytes + header.envelope_bytes; i < size; ++i) {
            CHECK(out[i] == std::byte{0});
        }
        CHECK(out[size] == std::byte{0xFF});
    }
}

TEST_CASE("messages: the common ones are small") {
    CHECK(head_bytes(task_header{}) == 96);
    CHECK(head_bytes(reply_header{}) == 48);
    CHECK(head_bytes(progress_header{}) == 48);
    CHECK(head_bytes(request_exit{}) == 96);
}

TEST_CASE("messages: a long text is cut at the boundary of a character") {
    const std::string euro = "\xE2\x82\xAC";
    std::string text;
    while (text.size() < 2 * max_text_bytes) {
        text += euro;
    }
    for (std::size_t before = 0; before < 3; ++before) {
        const std::string shifted = std::string(before, 'x') + text;
        const log_text log{shifted};
        CHECK(head_bytes(log) <= max_head_bytes);
        const aligned_copy envelope = envelope_of(log);
        const report parsed = parse_report(envelope.view());
        REQUIRE(std::holds_alternative<log_text>(parsed));
        const std::string_view cut = std::get<log_text>(parsed).text;
        CHECK(cut.size() <= max_text_bytes);
        CHECK(cut.size() > max_text_bytes - 3);
        CHECK((cut.size() - before) % 3 == 0);
        CHECK(shifted.compare(0, cut.size(), cut) == 0);
    }
}

TEST_CASE("messages: bytes that are no characters are cut at the limit") {
    const std::string text(2 * max_text_bytes, '\x80');
    const aligned_copy envelope = envelope_of(log_text{text});
    const report parsed = parse_report(envelope.view());
    REQUIRE(std::holds_alternative<log_text>(parsed));
    CHECK(std::get<log_text>(parsed).text.size() == max_text_bytes);
}

TEST_CASE("messages: a path that does not fit is refused, not cut") {
    const std::string path(max_envelope_bytes, 'p');
    CHECK(head_bytes(module_header{.path = path}) == 0);
    alignas(16) std::byte out[max_head_bytes] = {};
    CHECK(encode(module_header{.path = path}, 0, out) == 0);
    const std::string shorter(max_envelope_bytes - 200, 'p');
    check_command(module_header{.path = shorter});
}

TEST_CASE("messages: too little room is noticed before anything is written") {
    alignas(16) std::byte out[max_head_bytes] = {};
    const task_header task{.id = 1, .name = "name"};
    CHECK(encode(task, 0, std::span(out).first(head_bytes(task) - 1)) == 0);
    CHECK(std::ranges::all_of(out, [](std::byte byte) { return byte == std::byte{0}; }));
    CHECK(encode(task, 0, std::span(out).first(head_bytes(task))) == head_bytes(task));
}

TEST_CASE("messages: every shortened envelope is refused or still says the same") {
    const bytes frame = test::make_frame(some_task());
    const frame_header header = load_header(frame.data());
    for (std::size_t size = 0; size < header.envelope_bytes; size += 8) {
        const aligned_copy envelope(std::span<const std::byte>(frame).subspan(header_bytes, size));
        const command parsed = parse_command(envelope.view());
        INFO(size);
        CHECK(std::holds_alternative<message_error>(parsed));
    }
}

TEST_CASE("messages: what this version does not know is an error of its own") {
    // The union's discriminant and the stage are where the schema compiler put them: found by
    // comparing two envelopes that differ in nothing else.
    const auto patched = [](const auto& one, const auto& other, const auto& parse) {
        const aligned_copy first = envelope_of(one);
        const aligned_copy second = envelope_of(other);
        bytes changed(first.view().begin(), first.view().end());
        std::size_t differences = 0;
        for (std::size_t i = 0; i < changed.size(); ++i) {
            if (first.view()[i] != second.view()[i]) {
                changed[i] = std::byte{0x77};
                ++differences;
            }
        }
        REQUIRE(differences == 1);
        const aligned_copy envelope(changed);
        return std::get<message_error>(parse(envelope.view()));
    };
    const reply_header value{.sequence = 1};
    const reply_header first{.sequence = 1, .outcome = reply_outcome::unknown_function};
    const reply_header second{.sequence = 1, .outcome = reply_outcome::decode_failed};
    CHECK(patched(value, first, parse_report) == message_error::unknown);
    CHECK(patched(first, second, parse_report) == message_error::unknown);
    CHECK(patched(task_header{.deadline_ns = 0, .run_limit_ns = 0}, request_exit{},
                  parse_command) == message_error::unknown);
}

TEST_CASE("messages: a report is no command") {
    // The parent never mixes them up; a worker may send anything.
    const aligned_copy envelope = envelope_of(log_text{"text"});
    const command parsed = parse_command(envelope.view());
    CHECK(!std::holds_alternative<module_header>(parsed));
}
