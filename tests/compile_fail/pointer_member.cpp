// expect: an address means nothing in another process: pass the object itself
// expect: argument<1, const node
// expect: coproc::detail::member<2, edge>, coproc::detail::member<1, node
// expect: coproc::detail::member<2, edge>, coproc::detail::member<1, node
#include "support.hpp"

#include <string>

struct node;
struct edge {
#ifndef GOOD
    node* next = nullptr;
#endif
    std::string label;
};
struct node {
    int value = 0;
    edge to;
};
int visit(const node& from);

void run(coproc::executor& executor, const node& from) { executor.submit(visit, from); }
