#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include <coproc/remote_exception.hpp>

#include "exception/exception_codec.hpp"
#include "support/catch.hpp"

using coproc::exceptions::decode_exception;
using coproc::exceptions::encode_exception;

namespace {

std::exception_ptr over_the_wire(const std::exception_ptr& thrown) {
    return decode_exception(encode_exception(thrown), 1);
}

/// Throws `depth` exceptions, each nested in the next.
void throw_chain(int depth) {
    if (depth == 1) {
        throw std::runtime_error("1");
    }
    try {
        throw_chain(depth - 1);
    } catch (...) {
        std::throw_with_nested(std::runtime_error(std::to_string(depth)));
    }
}

std::exception_ptr chain(int depth) {
    try {
        throw_chain(depth);
    } catch (...) {
        return std::current_exception();
    }
    return nullptr;
}

/// The texts from the outermost exception to the innermost.
std::vector<std::string> texts(std::exception_ptr thrown) {
    std::vector<std::string> found;
    while (thrown) {
        try {
            std::rethrow_exception(thrown);
        } catch (const std::exception& e) {
            found.push_back(e.what());
            auto* outer = dynamic_cast<const std::nested_exception*>(&e);
            thrown = outer ? outer->nested_ptr() : nullptr;
        }
    }
    return found;
}

struct knot : std::runtime_error, std::nested_exception {
    using runtime_error::runtime_error;
};

} // namespace

TEST_CASE("an exception nested in another arrives nested, both as what they were") {
    std::exception_ptr thrown;
    try {
        try {
            throw std::out_of_range("row 9");
        } catch (...) {
            std::throw_with_nested(std::invalid_argument("bad table"));
        }
    } catch (...) {
        thrown = over_the_wire(std::current_exception());
    }
    CHECK_THROWS_AS(std::rethrow_exception(thrown), coproc::remote_exception);
    bool found = false;
    try {
        std::rethrow_exception(thrown);
    } catch (const std::invalid_argument& outer) {
        CHECK(outer.what() == std::string("bad table"));
        CHECK(dynamic_cast<const coproc::remote_exception&>(outer).type() ==
              "std::invalid_argument");
        try {
            std::rethrow_if_nested(outer);
        } catch (const std::out_of_range& inner) {
            found = true;
            CHECK(inner.what() == std::string("row 9"));
            CHECK(dynamic_cast<const coproc::remote_exception&>(inner).worker_pid() == 1);
        }
    }
    CHECK(found);
}

TEST_CASE("an exception without one has none: rethrow_if_nested does nothing") {
    const std::exception_ptr arrived = over_the_wire(chain(1));
    try {
        std::rethrow_exception(arrived);
    } catch (const std::runtime_error& e) {
        CHECK(dynamic_cast<const std::nested_exception*>(&e) == nullptr);
        CHECK_NOTHROW(std::rethrow_if_nested(e));
    }
}

TEST_CASE("an exception can be nested in one of unknown type, and the other way round") {
    std::exception_ptr thrown;
    try {
        try {
            throw 42;
        } catch (...) {
            throw knot("outer");
        }
    } catch (...) {
        thrown = over_the_wire(std::current_exception());
    }
    CHECK_THROWS_AS(std::rethrow_exception(thrown), coproc::remote_error);
    CHECK(texts(thrown) == std::vector<std::string>{"outer", "exception of type int"});
}

TEST_CASE("a chain keeps its order, also when it crosses twice") {
    const std::vector<std::string> expected{"4", "3", "2", "1"};
    CHECK(texts(over_the_wire(chain(4))) == expected);
    CHECK(texts(over_the_wire(over_the_wire(chain(4)))) == expected);
}

TEST_CASE("a chain is cut at 16") {
    CHECK(texts(over_the_wire(chain(16))).size() == 16);
    const std::vector<std::string> cut = texts(over_the_wire(chain(100)));
    CHECK(cut.size() == 16);
    CHECK(cut.front() == "100");
}

TEST_CASE("an exception nested in itself is followed 16 times") {
    const std::nested_exception nothing;
    const std::exception_ptr circle = std::make_exception_ptr(knot("round"));
    try {
        std::rethrow_exception(circle);
    } catch (knot& e) {
        e = knot("round and round"); // takes hold of the exception that is being handled: itself
    }
    CHECK(texts(over_the_wire(circle)).size() == 16);
    try {
        std::rethrow_exception(circle);
    } catch (knot& e) {
        static_cast<std::nested_exception&>(e) = nothing; // or it would never be freed
    }
}
