#include "stream/chunk_results.hpp"
#include "support/catch.hpp"
#include "support/wire_samples.hpp"

#include <coproc/codec.hpp>

#include <string>

// How the elements of a chunk are settled, and read one by one.
namespace {

using coproc::detail::element_outcome;
using coproc::detail::records;
using coproc::streams::chunk_results;
using coproc::wire::payload_buffer;

/// A part with one record for each value; negative ones are exceptions.
payload_buffer part(std::initializer_list<int> values) {
    coproc::encoder out;
    for (const int value : values) {
        const std::size_t record = records::open(out);
        out.write(value);
        records::close(
            out, record,
            static_cast<std::uint8_t>(value < 0 ? element_outcome::threw : element_outcome::value));
    }
    return payload_buffer(out.bytes());
}

int value_at(chunk_results& chunk, std::size_t element) {
    const auto found = chunk.at(element);
    REQUIRE(found);
    REQUIRE_FALSE(found->loss);
    const int value = records::read(found->part, found->begin, found->end).read<int>();
    CHECK((found->outcome == element_outcome::threw) == (value < 0));
    return value;
}

} // namespace

TEST_CASE("elements are settled in order, by parts and by losses") {
    chunk_results chunk(7);
    CHECK(chunk.settled() == 0);
    CHECK(chunk.add(part({10, -11}), 100));
    CHECK(chunk.settled() == 2);
    chunk.lose(2);
    chunk.lose(1);
    chunk.begin_run();
    CHECK(chunk.first_of_run() == 5);
    CHECK(chunk.add(part({15}), 200));
    CHECK(chunk.settled() == 6);

    CHECK(value_at(chunk, 0) == 10);
    CHECK(value_at(chunk, 0) == 10); // it may be asked for again
    CHECK(chunk.at(0)->worker == 100);
    CHECK(value_at(chunk, 1) == -11);
    CHECK(chunk.at(2)->loss == 0);
    CHECK(chunk.at(3)->loss == 0);
    CHECK(chunk.at(3)->loss == 0);
    CHECK(chunk.at(4)->loss == 1);
    CHECK(value_at(chunk, 5) == 15);
    CHECK(chunk.at(5)->worker == 200);
    CHECK_FALSE(chunk.at(6)); // it has the failure of the whole
}

TEST_CASE("elements may be left out") {
    chunk_results chunk(6);
    CHECK(chunk.add(part({0, 1, 2}), 1));
    CHECK(chunk.add(part({3, 4, 5}), 1));
    CHECK(value_at(chunk, 2) == 2);
    CHECK(value_at(chunk, 4) == 4);
}

TEST_CASE("a worker cannot settle more than there is, nor with something else") {
    chunk_results chunk(2);
    CHECK_FALSE(chunk.add(payload_buffer(), 1));
    CHECK_FALSE(chunk.add(part({1, 2, 3}), 1));
    CHECK_FALSE(chunk.add(payload_buffer(test::to_bytes("some other text, not records")), 1));
    coproc::encoder out;
    records::close(out, records::open(out), 200); // an outcome that is none
    CHECK_FALSE(chunk.add(payload_buffer(out.bytes()), 1));
    CHECK(chunk.settled() == 0);
    CHECK(chunk.add(part({1, 2}), 1));
    CHECK_FALSE(chunk.add(part({3}), 1));
}

TEST_CASE("whatever the bytes of a part are, they are read within their bounds") {
    test::seeded numbers(20);
    for (int round = 0; round < 20000; ++round) {
        test::bytes made(numbers.below(80));
        for (std::byte& byte : made) {
            byte = static_cast<std::byte>(numbers.one_in(3) ? numbers.any() : numbers.below(6) * 8);
        }
        chunk_results chunk(4);
        if (chunk.add(payload_buffer(made), 1)) {
            for (std::size_t i = 0; i < chunk.settled(); ++i) {
                const auto found = chunk.at(i);
                REQUIRE(found);
                REQUIRE(found->begin <= found->end);
                REQUIRE(found->end <= made.size());
            }
        }
    }
}
