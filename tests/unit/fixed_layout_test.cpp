#include "support/catch.hpp"
#include "wire/fixed_layout.hpp"
#include "wire/messages.hpp"

#include "protocol.capnp.h"

#include <capnp/message.h>
#include <capnp/serialize.h>

#include <array>
#include <random>
#include <vector>

namespace wire = coproc::wire;
namespace protocol = coproc::protocol;

namespace {

constexpr std::size_t head_limit = 512;

struct encoded {
    alignas(16) std::array<std::byte, head_limit> bytes;
    std::size_t size;

    std::span<const std::byte> envelope() const {
        const wire::frame_header header = wire::load_header(bytes.data());
        return std::span(bytes).subspan(wire::header_bytes, header.envelope_bytes);
    }
    capnp::SegmentArrayMessageReader read(kj::ArrayPtr<const capnp::word>& segment) const {
        segment = kj::arrayPtr(reinterpret_cast<const capnp::word*>(envelope().data()),
                               envelope().size() / sizeof(capnp::word));
        return capnp::SegmentArrayMessageReader(kj::arrayPtr(&segment, 1));
    }
};

template <class Message>
encoded encode(const Message& message) {
    encoded e;
    e.size = wire::encode(message, 0, e.bytes);
    REQUIRE(e.size == wire::head_bytes(message));
    return e;
}

} // namespace

TEST_CASE("Cap'n Proto reads a task that was written by its learned layout") {
    std::mt19937_64 random(20);
    for (int i = 0; i < 1000; ++i) {
        const wire::task_header task{.id = random(),
                                     .module = static_cast<std::uint32_t>(random()),
                                     .function_module = static_cast<std::uint32_t>(random()),
                                     .invoker = random(),
                                     .function = random(),
                                     .deadline_ns = static_cast<std::int64_t>(random()),
                                     .run_limit_ns = static_cast<std::int64_t>(random()),
                                     .name = {}};
        const encoded e = encode(task);
        kj::ArrayPtr<const capnp::word> segment;
        auto reader = e.read(segment);
        const auto command = reader.getRoot<protocol::Command>();
        REQUIRE(command.which() == protocol::Command::TASK);
        const auto read = command.getTask();
        CHECK(read.getId() == task.id);
        CHECK(read.getModule() == task.module);
        CHECK(read.getFunctionModule() == task.function_module);
        CHECK(read.getInvoker() == task.invoker);
        CHECK(read.getFunction() == task.function);
        CHECK(read.getDeadline() == task.deadline_ns);
        CHECK(read.getRunLimit() == task.run_limit_ns);
        CHECK_FALSE(read.hasName());
        CHECK(std::get<wire::task_header>(wire::parse_command(e.envelope())) == task);
    }
}

TEST_CASE("Cap'n Proto reads a reply that was written by its learned layout") {
    for (const std::uint64_t sequence : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
        const encoded e = encode(wire::reply_header{.sequence = sequence});
        kj::ArrayPtr<const capnp::word> segment;
        auto reader = e.read(segment);
        const auto report = reader.getRoot<protocol::Report>();
        REQUIRE(report.which() == protocol::Report::VALUE);
        CHECK(report.getSequence() == sequence);
        CHECK(std::get<wire::reply_header>(wire::parse_report(e.envelope())).sequence == sequence);
    }
}

TEST_CASE("A byte outside of the fields sends a message to Cap'n Proto, which judges it") {
    const wire::reply_header reply{.sequence = 7};
    const encoded good = encode(reply);
    const std::size_t words = good.envelope().size() / 8;
    std::size_t other = 0;
    for (std::size_t bit = 0; bit < words * 64; ++bit) {
        encoded e = good;
        e.bytes[wire::header_bytes + bit / 8] ^= std::byte{1} << bit % 8;
        const wire::report report = wire::parse_report(e.envelope());
        const auto* read = std::get_if<wire::reply_header>(&report);
        other += read == nullptr || *read != reply;
    }
    // All but those that no field uses: what they hold is nobody's business.
    CHECK(other >= 64);
}
