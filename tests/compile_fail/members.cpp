// Which types are refused because of what is inside them.
#include "can_submit.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

struct node;
struct edge {
    node* next = nullptr;
    std::string label;
};
struct node {
    int value = 0;
    edge to;
};
struct tree {
    std::string label;
    std::vector<tree> branches;
};
struct viewing {
    std::string_view name;
    int value;
};
struct position {
    double at[3];
};
struct body {
    double mass;
    position where;
};
struct sized_body {
    double mass;
    std::array<double, 3> where;
};
struct shape {
    int colour;
};
struct circle : shape {
    double radius;
};
struct referring {
    const std::string& text;
};
union number {
    long whole;
    double real;
};
struct cell {
    int row;
    number content;
};
struct flags {
    unsigned level : 3;
    unsigned colour : 5;
};
struct buffer {
    char bytes[4096];
};
class account {
public:
    explicit account(int balance) : balance_(balance) {}
    int balance() const { return balance_; }

private:
    int balance_;
};
class open_account : public account {
    using account::account;
};
template <>
struct coproc::codec<open_account> {
    static void encode(encoder& out, const open_account& value) { out.write(value.balance()); }
    static open_account decode(decoder& in) { return open_account(in.read<int>()); }
};

template <class T>
int use(const T& value);

static_assert(can_submit<decltype(use<tree>)&, tree>);
static_assert(can_submit<decltype(use<sized_body>)&, sized_body>);
static_assert(can_submit<decltype(use<open_account>)&, open_account>);
static_assert(can_submit<decltype(use<std::vector<open_account>>)&, std::vector<open_account>>);
static_assert(cannot_submit<decltype(use<node>)&, node>);
static_assert(cannot_submit<decltype(use<std::vector<char*>>)&, std::vector<char*>>);
static_assert(cannot_submit<decltype(use<body>)&, body>);
static_assert(cannot_submit<decltype(use<circle>)&, circle>);
static_assert(cannot_submit<decltype(use<referring>)&, referring>);
static_assert(cannot_submit<decltype(use<number>)&, number>);
static_assert(cannot_submit<decltype(use<flags>)&, flags>);
static_assert(cannot_submit<decltype(use<buffer>)&, buffer>);
static_assert(cannot_submit<decltype(use<account>)&, account>);

void run(coproc::executor& executor, const node& a_node, const referring& a_referring) {
    // error: an address means nothing in another process: pass the object itself
    // error: argument<1, const node
    // error: coproc::detail::member<2, edge>, coproc::detail::member<1, node
    executor.submit(use<node>, a_node);
    // error: an address means nothing in another process: pass the object itself
    // error: element<char
    executor.submit(use<std::vector<char*>>, std::vector<char*>());
    // error: an address means nothing in another process: pass the object itself
    // error: element<std::tuple<int, void
    // error: member<2, void
    executor.submit(use<std::optional<std::tuple<int, void*>>>, std::nullopt);
    // error: nothing owns what a view inside another object looks at: use std::string
    // error: member<1, std::basic_string_view<char
    executor.submit(use<viewing>, viewing());

    // error: only aggregates without C arrays, base classes, bit-fields, unions and references
    // error: member<2, position>
    executor.submit(use<body>, body());
    // error: only aggregates without C arrays, base classes, bit-fields, unions and references
    executor.submit(use<buffer>, buffer());
    // error: only aggregates without C arrays, base classes, bit-fields, unions and references
    executor.submit(use<circle>, circle());
    // error: only aggregates without C arrays, base classes, bit-fields, unions and references
    executor.submit(use<referring>, a_referring);
    // error: only aggregates without C arrays, base classes, bit-fields, unions and references
    // error: member<2, number>
    executor.submit(use<cell>, cell());
    // error: only aggregates without C arrays, base classes, bit-fields, unions and references
    executor.submit(use<flags>, flags());

    // error: the type has no codec: include the header in coproc/codecs/ that is named after it
    // error: argument<1, const account
    executor.submit(use<account>, account(1));
    executor.submit(use<open_account>, open_account(1)).detach();
}
