#include "support/catch.hpp"

#include <coproc/codec.hpp>
#include <coproc/codecs/string.hpp>
#include <coproc/codecs/vector.hpp>
#include <coproc/detail/chunk.hpp>
#include <coproc/detail/records.hpp>

#include <string>
#include <vector>

// How elements of a map are gathered into messages.
namespace {

using coproc::detail::chunk_builder;
using coproc::detail::chunk_head;
using coproc::detail::records;

/// A message as the worker reads it.
struct received {
    std::string common;
    std::vector<std::vector<double>> elements;
};

received read(const chunk_builder& from, coproc::encoder& message) {
    REQUIRE(from.elements() > 0);
    coproc::decoder in(message.bytes());
    const chunk_head head = coproc::detail::read_chunk_head(in);
    CHECK(head.elements == from.elements());
    coproc::decoder common = records::read(message.bytes(), sizeof head, head.common_end);
    received all{common.read<std::string>(), {}};
    common.finish();
    for (std::uint64_t i = 0; i < head.elements; ++i) {
        const records::place place = records::next(in);
        coproc::decoder element = records::read(message.bytes(), place.begin, place.end);
        all.elements.push_back(element.read<std::vector<double>>()); // an aligned block
        element.finish();
    }
    in.finish();
    return all;
}

void add(chunk_builder& to, const std::vector<double>& element) {
    if (to.empty()) {
        to.begin(1);
        to.out().write(std::string("common"));
    }
    to.begin_element();
    to.out().write(element);
    to.end_element();
}

received take(chunk_builder& from) {
    from.finish();
    received all = read(from, from.out());
    from.advance();
    return all;
}

} // namespace

TEST_CASE("a chunk holds what its elements share, and each element") {
    chunk_builder chunk(64 * 1024);
    CHECK(chunk.empty());
    add(chunk, {1, 2});
    add(chunk, {});
    add(chunk, {3});
    CHECK_FALSE(chunk.is_full());
    const received all = take(chunk);
    CHECK(all.common == "common");
    CHECK((all.elements == std::vector<std::vector<double>>{{1, 2}, {}, {3}}));
    CHECK(chunk.empty());
    add(chunk, {4});
    CHECK((take(chunk).elements == std::vector<std::vector<double>>{{4}}));
}

TEST_CASE("an element that does not fit begins the next message, as it is") {
    chunk_builder chunk(1000);
    for (const double value : {1.0, 2.0, 3.0}) {
        add(chunk, std::vector<double>(40, value));
    }
    CHECK(chunk.is_full());
    const received first = take(chunk);
    CHECK((first.elements == std::vector<std::vector<double>>{std::vector<double>(40, 1),
                                                              std::vector<double>(40, 2)}));
    CHECK_FALSE(chunk.is_full());
    CHECK(chunk.elements() == 1);
    add(chunk, {4});
    const received second = take(chunk);
    CHECK(second.common == "common");
    CHECK((second.elements == std::vector<std::vector<double>>{std::vector<double>(40, 3), {4}}));
}

TEST_CASE("an element that is too large for any message is alone in one, or refused at once") {
    chunk_builder chunk(1000);
    add(chunk, {1});
    add(chunk, std::vector<double>(120, 2)); // with the other: less than twice the limit
    CHECK(chunk.is_full());
    CHECK((take(chunk).elements == std::vector<std::vector<double>>{{1}}));
    CHECK_FALSE(chunk.is_full());
    CHECK((take(chunk).elements == std::vector<std::vector<double>>{std::vector<double>(120, 2)}));

    add(chunk, {3});
    CHECK_THROWS_AS(add(chunk, std::vector<double>(1000, 4)), coproc::encode_error);
    chunk.drop_element();
    CHECK_FALSE(chunk.is_full());
    add(chunk, {5});
    CHECK((take(chunk).elements == std::vector<std::vector<double>>{{3}, {5}}));
}

TEST_CASE("an element whose codec throws leaves nothing behind") {
    chunk_builder chunk(1000);
    chunk.begin(0);
    chunk.out().write(std::string("common"));
    chunk.begin_element();
    chunk.out().write(std::string("half an element"));
    chunk.drop_element();
    CHECK(chunk.empty());
    add(chunk, {1});
    chunk.begin_element();
    chunk.drop_element();
    add(chunk, {2});
    CHECK((take(chunk).elements == std::vector<std::vector<double>>{{1}, {2}}));
}

TEST_CASE("a chunk that is sent again says which element comes first") {
    chunk_builder chunk(1000);
    add(chunk, {1});
    add(chunk, {2});
    chunk.finish();
    std::vector<std::byte> copy(chunk.out().bytes().begin(), chunk.out().bytes().end());
    const auto first_of = [&copy] {
        coproc::encoder aligned;
        aligned.write_block(copy.data(), copy.size());
        coproc::decoder in(aligned.bytes());
        return coproc::detail::read_chunk_head(in).first;
    };
    CHECK(first_of() == 0);
    coproc::detail::set_first_element(copy.data(), 1);
    CHECK(first_of() == 1);
    coproc::detail::set_first_element(copy.data(), 2);
    CHECK_THROWS_AS(first_of(), coproc::decode_error);
}

TEST_CASE("records can be read one by one, whatever the bytes are") {
    coproc::encoder out;
    const std::size_t first = records::open(out);
    out.write(std::string("one"));
    records::close(out, first, 7);
    const std::size_t second = records::open(out);
    out.write(3.5);
    records::empty(out, second);
    records::close(out, second, 0);
    coproc::decoder in(out.bytes());
    const records::place one = records::next(in);
    CHECK(one.mark == 7);
    CHECK(records::read(out.bytes(), one.begin, one.end).read<std::string>() == "one");
    const records::place two = records::next(in);
    CHECK(two.begin == two.end);
    in.finish();
    CHECK_THROWS_AS(records::next(in), coproc::decode_error);

    const std::uint64_t longer = std::uint64_t{1000} << 8;
    records::overwrite(out, second, &longer, sizeof longer);
    coproc::decoder again(out.bytes());
    records::next(again);
    CHECK_THROWS_AS(records::next(again), coproc::decode_error);
}
