#include "wire/messages.hpp"

#include "support/catch.hpp"
#include "support/wire_samples.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <variant>

// The wire does not change by accident: each message has a frame in tests/data. A change on purpose
// goes with a new protocol version, and COPROC_ACCEPT_GOLDEN=1 in the environment of this program
// writes the frames anew.

using namespace coproc::wire;
using test::bytes;

namespace {

std::string path_of(const std::string& name) {
    return std::string(COPROC_TEST_DATA) + '/' + name + ".bin";
}

bytes stored(const std::string& name) {
    std::ifstream file(path_of(name), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    return test::to_bytes(text);
}

bool accepting() {
    const char* answer = std::getenv("COPROC_ACCEPT_GOLDEN");
    return answer != nullptr && std::string(answer) == "1";
}

/// The frame of `message` is the stored one, and the stored one says `message`.
template <class Message, class Parse>
void check_golden(const std::string& name, const Message& message, const bytes& payload,
                  Parse parse) {
    INFO(name);
    const bytes made = test::make_frame(message, payload);
    if (accepting()) {
        std::ofstream(path_of(name), std::ios::binary) << test::to_text(made);
    }
    const test::aligned_copy golden(stored(name));
    CHECK(test::to_text(golden.view()) == test::to_text(made));

    const frame_event event = parse_frame(golden.view(), 1 << 20);
    REQUIRE(event.kind == frame_kind::complete);
    CHECK(test::to_text(event.frame.payload) == test::to_text(payload));
    const auto parsed = parse(event.frame.envelope);
    REQUIRE(std::holds_alternative<Message>(parsed));
    CHECK(std::get<Message>(parsed) == message);
}

} // namespace

TEST_CASE("golden: commands") {
    check_golden("task",
                 task_header{.id = 0x0102030405060708,
                             .module = 1,
                             .function_module = 2,
                             .invoker = 0x1122334455,
                             .function = 0x66778899AA,
                             .deadline_ns = 1'000'000'000,
                             .run_limit_ns = 2'000'000'000},
                 test::to_bytes("the arguments"), parse_command);
    check_golden("task_named", task_header{.id = 7, .name = "resize image"},
                 test::counting_bytes(32), parse_command);
    check_golden("task_exported",
                 task_header{.id = 8, .invoker = 0x0123456789ABCDEF, .exported = "images::resize"},
                 test::counting_bytes(32), parse_command);
    check_golden("task_initializer",
                 task_header{.id = 1, .module = 2, .invoker = 0x1122334455, .initializer = true},
                 test::to_bytes("the arguments"), parse_command);
    check_golden("task_named_exported",
                 task_header{.id = 9, .invoker = 1, .name = "thumbnail", .exported = "resize"}, {},
                 parse_command);
    const bytes id = test::counting_bytes(20);
    check_golden("module",
                 module_header{.number = 1, .path = "/usr/lib/libexample.so.1", .build_id = id}, {},
                 parse_command);
    check_golden("request_exit", request_exit{}, {}, parse_command);
    check_golden("clean_up", clean_up{.limit = 0x0102030405060708}, {}, parse_command);
    check_golden("extent",
                 extent_header{.number = 0x0102030405060708,
                               .bytes = std::uint64_t{64} << 20,
                               .inode = 0x1122334455},
                 {}, parse_command);
    check_golden("forget_extent", forget_extent{.number = 0x0102030405060708}, {}, parse_command);
    check_golden("fork_descriptor", fork_descriptor{}, {}, parse_command);
    check_golden("fork", fork_order{.nonce = 0x1122334455667788, .number = 7, .slot = 3},
                 test::to_bytes("the settings"), parse_command);
}

TEST_CASE("golden: reports") {
    check_golden("reply_value", reply_header{.sequence = 0x0102030405060708},
                 test::to_bytes("the result"), parse_report);
    check_golden("reply_part", reply_header{.sequence = 8, .outcome = reply_outcome::part},
                 test::to_bytes("some results"), parse_report);
    check_golden("reply_unknown_function",
                 reply_header{.sequence = 1,
                              .outcome = reply_outcome::unknown_function,
                              .text = "there is no module 3"},
                 {}, parse_report);
    check_golden("reply_decode_failed",
                 reply_header{.sequence = 2,
                              .outcome = reply_outcome::decode_failed,
                              .text = "argument 1 ends too early"},
                 {}, parse_report);
    check_golden("reply_threw", reply_header{.sequence = 3, .outcome = reply_outcome::threw},
                 test::to_bytes("the exception"), parse_report);
    check_golden("reply_encode_failed",
                 reply_header{.sequence = 4,
                              .outcome = reply_outcome::encode_failed,
                              .text = "the codec threw"},
                 {}, parse_report);
    check_golden("reply_too_large",
                 reply_header{.sequence = 5,
                              .outcome = reply_outcome::too_large,
                              .text = "the result has 3 GiB"},
                 {}, parse_report);
    const bytes id = test::counting_bytes(20);
    check_golden("hello",
                 hello{.version = 7, .pid = 4242, .nonce = 0x1122334455667788, .build_id = id}, {},
                 parse_report);
    check_golden("progress",
                 progress_header{.sequence = 0x0102030405060708, .sink = 3, .skipped = 0x01020304},
                 test::to_bytes("70 %"), parse_report);
    check_golden("retire", retire_request(), {}, parse_report);
    check_golden("forked", forked{.number = 7, .pid = 4242}, {}, parse_report);
    check_golden("forked_not",
                 forked{.number = 8, .pid = 4243, .text = "setrlimit: Operation not permitted"}, {},
                 parse_report);
    check_golden("cleaned", cleaned{.kibibytes = 0x01020304}, {}, parse_report);
    check_golden("log", log_text{"main() was entered and coproc::init() was not"}, {},
                 parse_report);
}

TEST_CASE("golden: a doorbell is sixteen zeros") {
    bytes made;
    frame_writer writer;
    writer.append_doorbell();
    test::write_all(writer, made);
    CHECK(made == bytes(16));
}
