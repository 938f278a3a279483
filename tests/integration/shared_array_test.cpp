#include "support/catch.hpp"
#include "support/loop.hpp"
#include "support/processes.hpp"

#include <coproc/coproc.hpp>
#include <coproc/map.hpp>
#include <coproc/shared_array.hpp>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <new>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <tuple>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// Arrays in memory that workers read where they are: as which arguments, for which parameters, and
// what is refused. Who keeps the memory is in shared_array_lifetime_test.cpp.

namespace {

using coproc::errc;
using coproc::shared_array;
using coproc::shared_buffer;

constexpr std::size_t mebibyte = 1024 * 1024;

template <class T>
shared_array<T> counting(coproc::executor& executor, std::size_t count, T first = T(1)) {
    shared_buffer<T> numbers(executor, count);
    std::iota(numbers.span().begin(), numbers.span().end(), first);
    return numbers;
}

long sum_of_value(shared_array<int> numbers) {
    return std::accumulate(numbers.span().begin(), numbers.span().end(), 0L);
}
long sum_of_reference(const shared_array<int>& numbers) { return sum_of_value(numbers); }
long sum_of_rvalue(shared_array<int>&& numbers) { return sum_of_value(numbers); }
long sum(std::span<const int> numbers) {
    return std::accumulate(numbers.begin(), numbers.end(), 0L);
}

asio::awaitable<void> for_all_parameters() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    const shared_array<int> numbers = counting<int>(executor, 1000);
    CHECK(numbers.span().size() == 1000);
    CHECK(numbers.span()[999] == 1000);
    auto a = executor.submit(sum_of_value, numbers);
    auto b = executor.submit(sum_of_reference, numbers);
    auto c = executor.submit(sum_of_rvalue, shared_array<int>(numbers));
    auto d = executor.submit(sum, numbers);
    auto e = executor.submit([](const auto& any) { return sum(any); }, numbers);
    auto f = executor.submit(coproc::bind_front(sum, numbers));
    auto g = executor.submit(coproc::fn<sum>, numbers);
    std::vector<coproc::job<long>> jobs;
    for (auto* each : {&a, &b, &c, &d, &e, &f, &g}) {
        const auto got = co_await std::move(*each);
        CHECK(got.value() == 500'500);
    }

    // A vector still serves a span, and a buffer that is given away serves an array.
    const auto plain = co_await executor.submit(sum, std::vector<int>(10, 2));
    CHECK(plain.value() == 20);
    shared_buffer<int> fives(executor, 3);
    std::ranges::fill(fives.span(), 5);
    auto given = executor.submit(sum_of_value, std::move(fives));
    CHECK(fives.span().empty());
    const auto fifteen = co_await std::move(given);
    CHECK(fifteen.value() == 15);
}

asio::awaitable<void> slices_and_none() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const shared_array<int> numbers = counting<int>(executor, 100);
    const shared_array<int> middle = numbers.slice(10, 30);
    CHECK(middle.span().data() == numbers.span().data() + 10);
    auto of_slice = executor.submit(sum, middle.slice(5, 3)); // 16, 17, 18
    const auto some = co_await std::move(of_slice);
    CHECK(some.value() == 51);
    CHECK_THROWS_AS(middle.slice(30, 1), std::out_of_range);
    CHECK_THROWS_AS(middle.slice(31, 0), std::out_of_range);
    CHECK_THROWS_AS(middle.slice(1, std::size_t(-1)), std::out_of_range);

    for (const shared_array<int>& none : {numbers.slice(100, 0), shared_array<int>(),
                                          shared_array(shared_buffer<int>(executor, 0))}) {
        CHECK(none.span().empty());
        auto zero = executor.submit(sum, none);
        auto also_zero = executor.submit(sum_of_value, none);
        const auto first = co_await std::move(zero);
        const auto second = co_await std::move(also_zero);
        CHECK(first.value() == 0);
        CHECK(second.value() == 0);
    }
}

struct layer {
    std::string name;
    shared_array<float> weights;
    std::optional<shared_array<int>> shape;
};

double weigh(const layer& one, const std::vector<layer>& more,
             const std::tuple<int, shared_array<double>>& last,
             const std::map<std::string, shared_array<char>>& texts) {
    const auto add = [](double sum, const layer& l) {
        return std::accumulate(l.weights.span().begin(), l.weights.span().end(), sum) +
               (l.shape ? static_cast<double>(l.shape->span().size()) : 0);
    };
    double total = std::accumulate(more.begin(), more.end(), add(0, one), add);
    total += std::get<0>(last) * std::get<1>(last).span()[0];
    for (const auto& [name, text] : texts) {
        total += static_cast<double>(name.size() * text.span().size());
    }
    return total;
}

asio::awaitable<void> inside_of_others() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto weights = counting<float>(executor, 4); // 10
    const auto shape = counting<int>(executor, 3);
    const layer full{"full", weights, shape};
    const layer half{"half", weights.slice(2, 2), std::nullopt};
    const std::tuple<int, shared_array<double>> last{2, counting<double>(executor, 1, 0.25)};
    const std::map<std::string, shared_array<char>> texts{{"ab", counting<char>(executor, 5)}};
    auto weighed = executor.submit(weigh, full, std::vector<layer>{half, full}, last, texts);
    const auto total = co_await std::move(weighed);
    CHECK(total.value() == 13 + 7 + 13 + 0.5 + 10);
}

struct pixel {
    unsigned char kind;
    int value; // after padding
    float box[2][2];
};

int kinds_of(const shared_array<pixel>& pixels) {
    int sum = 0;
    for (const pixel& p : pixels.span()) {
        sum += p.kind * p.value + static_cast<int>(p.box[1][1]);
    }
    return sum;
}

struct padded {
    char a;
    int b;
};
int sum_padded(std::span<const padded> all) {
    int sum = 0;
    for (const padded& p : all) {
        sum += p.a * p.b;
    }
    return sum;
}

asio::awaitable<void> of_all_types() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    shared_buffer<pixel> pixels(executor, 2);
    pixels.span()[0] = {2, 10, {{0, 0}, {0, 1}}};
    pixels.span()[1] = {3, 100, {{0, 0}, {0, 5}}};
    const auto kinds = co_await executor.submit(kinds_of, shared_array(std::move(pixels)));
    CHECK(kinds.value() == 326);

    shared_buffer<padded> gaps(executor, 3); // elements that do not travel as a block
    std::ranges::fill(gaps.span(), padded{2, 7});
    const auto products = co_await executor.submit(sum_padded, shared_array(std::move(gaps)));
    CHECK(products.value() == 42);
}

std::size_t size_of_all(std::span<const char> first, std::span<const char> second) {
    return first.size() + second.size() + static_cast<std::size_t>(first.back() + second.front());
}

asio::awaitable<void> larger_than_messages() {
    const auto loop = co_await asio::this_coro::executor;
    // The message has a limit that the arrays exceed a thousand times.
    coproc::executor executor(loop, {.max_workers = 1, .max_message_bytes = 64 * 1024});
    shared_buffer<char> large(executor, 100 * mebibyte);
    large.span().back() = 3;
    const shared_array<char> first = std::move(large);
    shared_buffer<char> small(executor, 20 * mebibyte);
    small.span().front() = 4;
    const shared_array<char> second = std::move(small);
    for (int i = 0; i < 3; ++i) {
        const auto size = co_await executor.submit(size_of_all, first, second);
        CHECK(size.value() == 120 * mebibyte + 7);
    }
    const auto copied =
        co_await executor.submit(size_of_all, std::vector<char>(mebibyte), std::vector<char>(1));
    CHECK(copied.error() == errc::too_large);
}

int count_of(const std::string&, std::span<const int> some) {
    return static_cast<int>(some.size());
}

asio::awaitable<void> in_maps() {
    const auto loop = co_await asio::this_coro::executor;
    // A copy of one of the arrays would not fit into a message.
    coproc::executor executor(loop, {.max_workers = 2, .max_message_bytes = 64 * 1024});
    const shared_array<int> numbers = counting<int>(executor, mebibyte);
    std::vector<shared_array<int>> parts;
    for (std::size_t i = 0; i < 64; ++i) {
        parts.push_back(numbers.slice(i * 16 * 1024, 16 * 1024));
    }
    const long all = sum(numbers);
    for (const std::size_t chunk : {1U, 10U}) {
        auto of_spans = executor.map({.chunk_size = chunk}, sum, parts);
        const auto sums = co_await std::move(of_spans).async_collect();
        CHECK(std::accumulate(sums.value().begin(), sums.value().end(), 0L) == all);
        auto of_arrays = executor.map({.chunk_size = chunk}, sum_of_reference, parts);
        const auto again = co_await std::move(of_arrays).async_collect();
        CHECK(again.value() == sums.value());

        // Bound: all elements have the same.
        auto bound =
            executor.map({.chunk_size = chunk},
                         coproc::bind_front([](const shared_array<int>& table,
                                               std::size_t at) { return table.span()[at]; },
                                            numbers),
                         std::vector<std::size_t>{0, 1000, mebibyte - 1});
        const auto looked_up = co_await std::move(bound).async_collect();
        CHECK((looked_up.value() == std::vector<int>{1, 1001, mebibyte}));
    }
    auto two_ranges = executor.map(count_of, std::vector<std::string>(3), parts);
    const auto counts = co_await std::move(two_ranges).async_collect();
    CHECK((counts.value() == std::vector<int>(3, 16 * 1024)));
}

asio::awaitable<long> later(std::span<const int> numbers, const shared_array<int>& more) {
    const auto loop = co_await asio::this_coro::executor;
    co_await asio::post(loop, asio::use_awaitable);
    co_return sum(numbers) + sum(more);
}

struct table {
    shared_array<int> values;
    long add(std::span<const int> more) const { return sum(values) + sum(more); }
};

asio::awaitable<void> in_all_functions() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const shared_array<int> numbers = counting<int>(executor, 10); // 55
    auto coroutine = executor.submit(later, numbers, numbers.slice(0, 2));
    const auto first = co_await std::move(coroutine);
    CHECK(first.value() == 58);
    const table object{numbers};
    auto member = executor.submit(&table::add, object, numbers.slice(9, 1));
    const auto second = co_await std::move(member);
    CHECK(second.value() == 65);
}

asio::awaitable<void> thousands() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 2});
    std::vector<coproc::job<long>> jobs;
    for (int i = 0; i < 3000; ++i) {
        jobs.push_back(executor.submit(sum, counting<int>(executor, 100, i)));
    }
    long wrong = 0;
    for (int i = 0; i < 3000; ++i) {
        const auto got = co_await std::move(jobs[static_cast<std::size_t>(i)]);
        wrong += got.value() != 100L * i + 4950;
    }
    CHECK(wrong == 0);
}

/// How this process's mappings of arrays may be used.
std::vector<std::string> permissions_here() {
    std::vector<std::string> found;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        if (line.find("memfd:coproc-arrays") != std::string::npos) {
            const std::size_t at = line.find(' ') + 1;
            found.push_back(line.substr(at, 4));
        }
    }
    return found;
}

/// errno of each way to get at the memory for writing.
std::vector<int> try_to_write(const shared_array<char>& array) {
    std::vector<int> errors;
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto at = reinterpret_cast<std::uintptr_t>(array.span().data()) / page * page;
    errors.push_back(
        ::mprotect(reinterpret_cast<void*>(at), page, PROT_READ | PROT_WRITE) == 0 ? 0 : errno);
    // The parent's own descriptors, opened again.
    const std::string fds = "/proc/" + std::to_string(::getppid()) + "/fd";
    for (const auto& each : std::filesystem::directory_iterator(fds)) {
        std::error_code gone;
        const auto target = std::filesystem::read_symlink(each.path(), gone).string();
        if (target.find("coproc-arrays") == std::string::npos) {
            continue;
        }
        const int again = ::open(each.path().c_str(), O_RDWR | O_CLOEXEC);
        if (again < 0) {
            continue; // not permitted: even better
        }
        void* const mapped = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
        errors.push_back(mapped == MAP_FAILED ? errno : 0);
        errors.push_back(::pwrite(again, "x", 1, 0) == 1 ? 0 : errno);
        ::close(again);
    }
    return errors;
}

std::size_t descriptors_of_arrays(std::span<const char>) {
    std::size_t found = 0;
    for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;
        const auto target = std::filesystem::read_symlink(each.path(), gone).string();
        found += target.find("coproc-arrays") != std::string::npos;
    }
    return found;
}

asio::awaitable<void> only_read() {
    const auto loop = co_await asio::this_coro::executor;
    coproc::executor executor(loop, {.max_workers = 1});
    const auto array = counting<char>(executor, 1000);
    const auto permissions =
        co_await executor.submit([](std::span<const char>) { return permissions_here(); }, array);
    CHECK((permissions.value() == std::vector<std::string>{"r--s"}));
    const auto errors = co_await executor.submit(try_to_write, array);
    REQUIRE_FALSE(errors.value().empty());
    CHECK(errors.value().front() == EACCES);
    for (std::size_t i = 1; i < errors.value().size(); ++i) {
        CHECK(errors.value()[i] == EPERM);
    }
    const auto open = co_await executor.submit(descriptors_of_arrays, array);
    CHECK(open.value() == 0);
}

std::uintptr_t address_of(std::span<const int> numbers) {
    return reinterpret_cast<std::uintptr_t>(numbers.data());
}

/// From within a task, to a task of its own.
std::string pass_on(const shared_array<int>& numbers) {
    coproc::executor inner(coproc::own_thread, {.max_workers = 1});
    const auto got = inner.submit(sum, numbers).get();
    return got ? std::to_string(got.value())
               : std::string(got.error() == errc::encode_failed ? "encode: " : "") +
                     got.error().message();
}
std::string make_there(int count) {
    coproc::executor inner(coproc::own_thread, {.max_workers = 1});
    const auto numbers = counting<int>(inner, static_cast<std::size_t>(count));
    return std::to_string(inner.submit(sum, numbers).get().value());
}

} // namespace

TEST_CASE("a shared array serves arrays and views among the parameters", "[array]") {
    test::run(for_all_parameters());
}

TEST_CASE("slices of shared arrays, and arrays without elements", "[array]") {
    test::run(slices_and_none());
}

TEST_CASE("shared arrays travel inside of other arguments", "[array]") {
    test::run(inside_of_others());
}

TEST_CASE("shared arrays of all trivially copyable types", "[array]") { test::run(of_all_types()); }

TEST_CASE("shared arrays are not in the message", "[array]") { test::run(larger_than_messages()); }

TEST_CASE("shared arrays as elements of maps, alone and in chunks", "[array]") {
    test::run(in_maps());
}

TEST_CASE("shared arrays for coroutines and member functions", "[array]") {
    test::run(in_all_functions());
}

TEST_CASE("thousands of shared arrays at a time", "[array]") { test::run(thousands()); }

TEST_CASE("a worker can only read shared arrays", "[array][process]") { test::run(only_read()); }

TEST_CASE("without processes a task gets the array itself", "[array]") {
    coproc::executor executor(coproc::own_thread,
                              {.max_workers = 1, .start = coproc::start_method::in_process});
    const shared_array<int> numbers = counting<int>(executor, 1000);
    const auto here = reinterpret_cast<std::uintptr_t>(numbers.span().data());
    CHECK(executor.submit(address_of, numbers).get().value() == here);
    CHECK(executor.submit(address_of, numbers.slice(10, 1)).get().value() == here + 40);
    CHECK(executor.submit(pass_on, numbers).get().value() == "500500");
}

TEST_CASE("a shared array does not travel on from a worker process", "[array][process]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    const shared_array<int> numbers = counting<int>(executor, 1000);
    const std::string said = executor.submit(pass_on, numbers).get().value();
    CHECK(said.find("encode: ") == 0);
    CHECK(said.find("a shared_array does not travel on from a worker process") !=
          std::string::npos);
    CHECK(executor.submit(make_there, 10).get().value() == "55");
}

TEST_CASE("a shared array is encoded for a task only", "[array]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    coproc::encoder out;
    CHECK_THROWS_AS(out.write(counting<int>(executor, 3)), coproc::encode_error);
}

TEST_CASE("memory that is refused to a shared buffer", "[array]") {
    coproc::executor executor(coproc::own_thread, {.max_workers = 1});
    CHECK_THROWS_AS(shared_buffer<int>(executor, std::size_t(-1) / 2), std::bad_array_new_length);
    CHECK_THROWS_AS(shared_buffer<char>(executor, std::size_t(-1)), std::bad_alloc);

    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    rlimit small = before;
    small.rlim_cur = mebibyte;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    std::error_code code;
    std::string said;
    try {
        shared_buffer<char> refused(executor, 100 * mebibyte);
    } catch (const std::system_error& error) {
        code = error.code();
        said = error.what();
    }
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(code == std::errc::file_too_large);
    CHECK(said.find("no memory for a shared_buffer: RLIMIT_FSIZE") != std::string::npos);
    CHECK(executor.submit(sum, counting<int>(executor, 10)).get().value() == 55);
}

TEST_CASE("shared arrays in a forked child", "[array][process]") {
    asio::io_context loop;
    coproc::executor executor(loop, {.max_workers = 1});
    shared_array<int> numbers = counting<int>(executor, 10);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        int exit_code = sum(numbers) == 55 ? 1 : 2;
        numbers = {}; // is nothing to the parent
        try {
            shared_buffer<int> refused(executor, 10);
        } catch (const std::system_error& error) {
            exit_code = exit_code == 1 && error.code() == errc::forked ? 0 : 3;
        }
        ::_exit(exit_code);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    auto job = executor.submit(sum, numbers);
    test::run(loop);
    CHECK(std::move(job).get().value() == 55);
}
