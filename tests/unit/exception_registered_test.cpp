#include <array>
#include <cstddef>
#include <exception>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <vector>

#include <boost/throw_exception.hpp>

#include <coproc/codecs/string.hpp>
#include <coproc/codecs/vector.hpp>
#include <coproc/exception.hpp>

#include "exception/describe.hpp"
#include "exception/exception_codec.hpp"
#include "exception/registered_types.hpp"
#include "exception_twin.hpp"
#include "support/catch.hpp"

using coproc::exceptions::decode_exception;
using coproc::exceptions::encode_exception;

namespace shop {

/// With state, and a codec for it.
class out_of_stock : public std::runtime_error {
public:
    out_of_stock(int article, std::vector<std::string> alternatives)
        : runtime_error("article " + std::to_string(article) + " is out of stock"),
          article_(article),
          alternatives_(std::move(alternatives)) {}
    int article() const { return article_; }
    const std::vector<std::string>& alternatives() const { return alternatives_; }

private:
    int article_;
    std::vector<std::string> alternatives_;
};

/// With nothing but its text.
struct closed : std::logic_error {
    using logic_error::logic_error;
};

/// With nothing at all.
struct no_licence : std::exception {
    const char* what() const noexcept override { return "no licence"; }
};

struct sealed final : std::runtime_error {
    using runtime_error::runtime_error;
};

/// Not derived from std::exception; the codec of aggregates carries it.
struct position {
    int line;
    std::string file;
};

template <class A, class B>
struct mismatch : std::runtime_error {
    using runtime_error::runtime_error;
};

/// Registered, but what is thrown derives from it.
struct closed_for_ever : closed {
    using closed::closed;
};

struct chained : std::runtime_error, std::nested_exception {
    using runtime_error::runtime_error;
};

struct unwritable : std::runtime_error {
    using runtime_error::runtime_error;
};

struct unreadable : std::runtime_error {
    using runtime_error::runtime_error;
};

struct huge : std::runtime_error {
    explicit huge(std::size_t bytes) : runtime_error("huge"), content(bytes, 'x') {}
    std::string content;
};

} // namespace shop

template <>
struct coproc::codec<shop::out_of_stock> {
    static void encode(encoder& out, const shop::out_of_stock& e) {
        out.write(e.article());
        out.write(e.alternatives());
    }
    static shop::out_of_stock decode(decoder& in) {
        const int article = in.read<int>();
        return {article, in.read<std::vector<std::string>>()};
    }
};

template <>
struct coproc::codec<shop::unwritable> {
    static void encode(encoder&, const shop::unwritable&) { throw 7; }
    static shop::unwritable decode(decoder&) { return shop::unwritable(""); }
};

template <>
struct coproc::codec<shop::unreadable> {
    static void encode(encoder& out, const shop::unreadable&) { out.write(1); }
    static shop::unreadable decode(decoder&) { throw 7; }
};

template <>
struct coproc::codec<shop::huge> {
    static void encode(encoder& out, const shop::huge& e) { out.write(e.content); }
    static shop::huge decode(decoder& in) { return shop::huge(in.read<std::string>().size()); }
};

COPROC_EXCEPTION(shop::out_of_stock);
COPROC_EXCEPTION(shop::closed);
COPROC_EXCEPTION(shop::closed); // as from a header that two files include
COPROC_EXCEPTION(shop::no_licence);
COPROC_EXCEPTION(shop::sealed);
COPROC_EXCEPTION(shop::position);
COPROC_EXCEPTION(shop::mismatch<int, std::string>);
COPROC_EXCEPTION(shop::chained);
COPROC_EXCEPTION(shop::unwritable);
COPROC_EXCEPTION(shop::unreadable);
COPROC_EXCEPTION(shop::huge);
COPROC_EXCEPTION(long);

namespace {

struct twin : std::runtime_error {
    using runtime_error::runtime_error;
};

std::exception_ptr over_the_wire(const std::exception_ptr& thrown) {
    return decode_exception(encode_exception(thrown), 4242);
}

template <class E>
std::exception_ptr over_the_wire(const E& exception) {
    return over_the_wire(std::make_exception_ptr(exception));
}

std::exception_ptr caught(void (*function)()) {
    try {
        function();
    } catch (...) {
        return std::current_exception();
    }
    return nullptr;
}

/// The exception as type `As`; whether it is also a remote_exception of this type and text.
template <class As>
As check_is(const std::exception_ptr& arrived, const std::string& type, const std::string& what) {
    try {
        std::rethrow_exception(arrived);
    } catch (const coproc::remote_exception& e) {
        CHECK(e.type() == type);
        CHECK(e.what_text() == what);
        CHECK(e.worker_pid() == 4242);
    }
    try {
        std::rethrow_exception(arrived);
    } catch (const As& e) {
        return e;
    }
}

/// It has come, but not as its own type.
void check_is_remote_error(const std::exception_ptr& arrived, const std::string& type,
                           const std::string& what) {
    try {
        std::rethrow_exception(arrived);
    } catch (const coproc::remote_error& e) {
        CHECK(typeid(e) == typeid(coproc::remote_error));
        CHECK(e.type() == type);
        CHECK(e.what_text() == what);
    }
}

std::exception_ptr nested_in(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const std::nested_exception& outer) {
        return outer.nested_ptr();
    } catch (...) {
        return nullptr;
    }
}

COPROC_EXCEPTION(twin);

} // namespace

TEST_CASE("a registered exception arrives with its state, by each of its names") {
    const auto arrived = over_the_wire(shop::out_of_stock(7, {"8", "nine"}));
    const auto got =
        check_is<shop::out_of_stock>(arrived, "shop::out_of_stock", "article 7 is out of stock");
    CHECK(got.article() == 7);
    CHECK(got.alternatives() == std::vector<std::string>{"8", "nine"});
    CHECK_THROWS_AS(std::rethrow_exception(arrived), std::runtime_error);
    CHECK_THROWS_WITH(std::rethrow_exception(arrived), "article 7 is out of stock");
    CHECK_THROWS_AS(std::rethrow_exception(arrived), coproc::detail::remote<shop::out_of_stock>);
}

TEST_CASE("a registered exception without codec is made of its text") {
    const auto arrived = over_the_wire(shop::closed("on Sundays"));
    CHECK_THROWS_AS(std::rethrow_exception(arrived), std::logic_error);
    CHECK(check_is<shop::closed>(arrived, "shop::closed", "on Sundays").what() ==
          std::string("on Sundays"));
    CHECK(check_is<shop::no_licence>(over_the_wire(shop::no_licence()), "shop::no_licence",
                                     "no licence")
              .what() == std::string("no licence"));
    check_is<shop::mismatch<int, std::string>>(
        over_the_wire(shop::mismatch<int, std::string>("int")),
        coproc::exceptions::type_name(typeid(shop::mismatch<int, std::string>)), "int");
}

TEST_CASE("what nothing can derive from arrives as it is") {
    const auto sealed = over_the_wire(shop::sealed("tight"));
    CHECK_THROWS_AS(std::rethrow_exception(sealed), shop::sealed);
    CHECK_THROWS_WITH(std::rethrow_exception(sealed), "tight");
    CHECK_THROWS_AS(std::rethrow_exception(over_the_wire(7L)), long);
    try {
        std::rethrow_exception(over_the_wire(-9L));
    } catch (long n) {
        CHECK(n == -9);
    }
}

TEST_CASE("a registered type need not be a std::exception") {
    const auto arrived = over_the_wire(shop::position{3, "a.txt"});
    const auto got = check_is<shop::position>(arrived, "shop::position", "");
    CHECK(got.line == 3);
    CHECK(got.file == "a.txt");
}

TEST_CASE("only that exact type counts") {
    check_is_remote_error(over_the_wire(shop::closed_for_ever("for ever")), "shop::closed_for_ever",
                          "for ever");
    check_is_remote_error(over_the_wire(7), "int", ""); // long is registered
}

TEST_CASE("of two types of one name nobody knows which it was") {
    check_is_remote_error(over_the_wire(twin("mine")), "(anonymous namespace)::twin", "mine");
    check_is_remote_error(over_the_wire(caught(throw_other_twin)), "(anonymous namespace)::twin",
                          "the other");
}

TEST_CASE("an exception that passes two wires is still of its type") {
    const auto arrived = over_the_wire(over_the_wire(shop::out_of_stock(5, {"6"})));
    CHECK(check_is<shop::out_of_stock>(arrived, "shop::out_of_stock", "article 5 is out of stock")
              .alternatives() == std::vector<std::string>{"6"});
}

TEST_CASE("registered exceptions in a chain arrive as what they are") {
    const auto thrown = caught([] {
        try {
            try {
                throw shop::out_of_stock(1, {});
            } catch (...) {
                std::throw_with_nested(std::invalid_argument("order 3"));
            }
        } catch (...) {
            std::throw_with_nested(shop::closed("the shop"));
        }
    });
    const auto arrived = over_the_wire(thrown);
    check_is<shop::closed>(arrived, "shop::closed", "the shop");
    const auto second = nested_in(arrived);
    REQUIRE(second);
    check_is<std::invalid_argument>(second, "std::invalid_argument", "order 3");
    const auto third = nested_in(second);
    REQUIRE(third);
    CHECK(check_is<shop::out_of_stock>(third, "shop::out_of_stock", "article 1 is out of stock")
              .article() == 1);
    CHECK(nested_in(third) == nullptr);
}

TEST_CASE("a type that is a std::nested_exception itself keeps what it holds") {
    const auto thrown = caught([] {
        try {
            throw shop::closed("inner");
        } catch (...) {
            throw shop::chained("outer");
        }
    });
    const auto arrived = over_the_wire(thrown);
    check_is<shop::chained>(arrived, "shop::chained", "outer");
    const auto inner = nested_in(arrived);
    REQUIRE(inner);
    check_is<shop::closed>(inner, "shop::closed", "inner");
}

TEST_CASE("what boost::throw_exception wraps arrives as what was thrown") {
    const auto arrived =
        over_the_wire(caught([] { boost::throw_exception(shop::closed("by boost")); }));
    check_is<shop::closed>(arrived, "shop::closed", "by boost");
}

TEST_CASE("an exception whose codec fails keeps its name and its text") {
    check_is_remote_error(over_the_wire(shop::unwritable("cannot be written")), "shop::unwritable",
                          "cannot be written");
    check_is_remote_error(over_the_wire(shop::unreadable("cannot be read")), "shop::unreadable",
                          "cannot be read");
}

TEST_CASE("an exception that is too large keeps its name and its text") {
    using coproc::exceptions::max_state;
    check_is<shop::huge>(over_the_wire(shop::huge(max_state - 100)), "shop::huge", "huge");
    check_is_remote_error(over_the_wire(shop::huge(max_state + 1)), "shop::huge", "huge");
}

TEST_CASE("a type is known as long as it is registered") {
    struct passing : std::runtime_error {
        using runtime_error::runtime_error;
    };
    const std::string name = coproc::exceptions::type_name(typeid(passing));
    check_is_remote_error(over_the_wire(passing("before")), name, "before");
    {
        const coproc::detail::exception_registration<passing> now;
        check_is<passing>(over_the_wire(passing("now")), name, "now");
        const auto sent = encode_exception(std::make_exception_ptr(passing("after")));
        const coproc::detail::exception_registration<passing> twice;
        check_is<passing>(decode_exception(sent, 4242), name, "after");
    }
    check_is_remote_error(over_the_wire(passing("after")), name, "after");
}

TEST_CASE("whatever a worker says of a registered exception, one comes out") {
    const auto sent = encode_exception(std::make_exception_ptr(shop::out_of_stock(7, {"8", "9"})));
    for (std::size_t i = 0; i < sent.size(); ++i) {
        for (const unsigned flip : {0x01U, 0x80U, 0xffU}) {
            auto changed = sent;
            changed[i] ^= static_cast<std::byte>(flip);
            CHECK(decode_exception(changed, 1) != nullptr);
        }
        CHECK(decode_exception(std::span(sent).first(i), 1) != nullptr);
    }
}
