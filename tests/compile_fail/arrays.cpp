// What of shared arrays is refused.
#include "can_submit.hpp"

#include <coproc/map.hpp>
#include <coproc/progress.hpp>
#include <coproc/shared_array.hpp>

#include <optional>
#include <string>
#include <vector>

using numbers = coproc::shared_array<int>;

struct tensor {
    std::string name;
    numbers values;
};

long sum(std::span<const int> all);
long sum_of(const numbers& all);
long sum_of_fixed(std::span<const int, 4> all);
long sum_of_vector(const std::vector<int>& all);
void fill(std::span<int> all);
void replace(numbers& all);
numbers sorted(const numbers& all);
const numbers& same(const numbers& all);
std::vector<std::optional<tensor>> layers(const tensor& all);
coproc::progress_sink<int> sink_of(int number);

static_assert(can_submit<decltype(sum)&, numbers>);
static_assert(can_submit<decltype(sum)&, const numbers&>);
static_assert(can_submit<decltype(sum_of)&, numbers&>);
static_assert(can_submit<decltype(sum_of)&, coproc::shared_buffer<int>>, "it is frozen");
static_assert(cannot_submit<decltype(sum_of)&, coproc::shared_buffer<int>&>);
static_assert(cannot_submit<decltype(sum)&, coproc::shared_array<float>>);
static_assert(cannot_submit<decltype(sum_of_fixed)&, numbers>);
static_assert(cannot_submit<decltype(sum_of_vector)&, numbers>, "it would be copied");
static_assert(cannot_submit<decltype(sorted)&, numbers>);
static_assert(cannot_submit<decltype(fill)&, numbers>);
static_assert(cannot_submit<decltype(layers)&, tensor>);

void run(coproc::executor& executor, const numbers& all) {
    executor.submit(sum, all).detach();
    executor.submit(sum_of, all).detach();
    // error: travels to a task and not back: return the values, in a std::vector if there are many
    // error: result_of_the_function<coproc::shared_array<int>
    executor.submit(sorted, all);
    // error: travels to a task and not back
    executor.submit(same, all);
    // error: travels to a task and not back
    // error: member<2, coproc::shared_array<int>
    executor.submit(layers, tensor{"name", all});
    // error: travels to a task and not back
    executor.submit(sink_of, 1);
    numbers mine = all;
    // error: the change would stay in the worker
    executor.submit(replace, mine);
    // error: the function cannot be called with these arguments
    executor.submit(sum_of_vector, all);
    // error: argument_only
    executor.map(sorted, std::vector<numbers>{all});
}
