#include <any>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <ios>
#include <memory>
#include <new>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <system_error>
#include <typeinfo>
#include <variant>
#include <version>

#include <boost/throw_exception.hpp>
#ifdef __cpp_lib_format
#include <format>
#endif

#include <coproc/error.hpp>
#include <coproc/remote_exception.hpp>

#include "exception/exception_codec.hpp"
#include "support/catch.hpp"

using coproc::exceptions::decode_exception;
using coproc::exceptions::encode_exception;

namespace {

std::exception_ptr over_the_wire(const std::exception_ptr& thrown) {
    return decode_exception(encode_exception(thrown), 4242);
}

/// What `E` threw there is caught here by each of its names; gives the exception to look at.
template <class E>
std::exception_ptr check_arrives(const std::exception_ptr& thrown, const std::string& what) {
    const std::exception_ptr arrived = over_the_wire(thrown);
    try {
        std::rethrow_exception(arrived);
    } catch (const std::exception& e) {
        CHECK(e.what() == what);
    }
    try {
        std::rethrow_exception(arrived);
    } catch (const E& e) {
        CHECK(e.what() == what);
    }
    try {
        std::rethrow_exception(arrived);
    } catch (const coproc::remote_exception& e) {
        CHECK(e.what_text() == what);
        CHECK(e.worker_pid() == 4242);
    }
    CHECK_THROWS_AS(std::rethrow_exception(arrived), coproc::detail::remote<E>);
    return arrived;
}

template <class E>
std::exception_ptr check_arrives(const E& exception) {
    return check_arrives<E>(std::make_exception_ptr(exception), exception.what());
}

template <class E>
std::error_code code_of(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const E& e) {
        return e.code();
    }
}

std::string remote_type(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const coproc::remote_exception& e) {
        return e.type();
    }
}

struct parse_error : std::invalid_argument {
    using invalid_argument::invalid_argument;
};

struct wordless : std::exception {
    const char* what() const noexcept override { return nullptr; }
};

struct last final : std::runtime_error {
    using runtime_error::runtime_error;
};

} // namespace

TEST_CASE("the exceptions of <stdexcept> arrive as what they were") {
    check_arrives(std::logic_error("l"));
    check_arrives(std::invalid_argument("negative size"));
    check_arrives(std::domain_error("d"));
    check_arrives(std::length_error("le"));
    check_arrives(std::out_of_range("o"));
    check_arrives(std::runtime_error("r"));
    check_arrives(std::range_error("ra"));
    check_arrives(std::overflow_error("ov"));
    check_arrives(std::underflow_error("u"));
#ifdef __cpp_lib_format
    check_arrives(std::format_error("f"));
#endif
}

TEST_CASE("the exceptions of the language and of <memory>, <any>, <optional>, <variant> arrive") {
    check_arrives(std::exception());
    check_arrives(std::bad_alloc());
    check_arrives(std::bad_array_new_length());
    check_arrives(std::bad_cast());
    check_arrives(std::bad_any_cast());
    check_arrives(std::bad_typeid());
    check_arrives(std::bad_exception());
    check_arrives(std::bad_function_call());
    check_arrives(std::bad_weak_ptr());
    check_arrives(std::bad_optional_access());
    check_arrives(std::bad_variant_access());
}

TEST_CASE("a text is sent although the type is made without one") {
    // The library throws this type with texts that no constructor accepts.
    std::exception_ptr thrown;
    try {
        std::get<int>(std::variant<int, double>(1.0));
    } catch (const std::bad_variant_access& e) {
        thrown = std::current_exception();
        check_arrives<std::bad_variant_access>(thrown, e.what());
    }
    REQUIRE(thrown);
}

TEST_CASE("a system_error arrives with its code and category") {
    using std::system_error;
    const std::error_code codes[] = {std::make_error_code(std::errc::timed_out),
                                     {ENOENT, std::system_category()},
                                     make_error_code(std::io_errc::stream),
                                     make_error_code(std::future_errc::no_state),
                                     coproc::errc::queue_full};
    for (const std::error_code& code : codes) {
        CHECK(code_of<system_error>(check_arrives(system_error(code, "it failed"))) == code);
    }
}

TEST_CASE("the failure of a stream arrives, also the one that libstdc++ really throws") {
    const std::ios_base::failure made("no more", std::make_error_code(std::errc::io_error));
    CHECK(code_of<std::ios_base::failure>(check_arrives(made)) == std::errc::io_error);

    std::ifstream missing("/nowhere/at/all");
    std::exception_ptr thrown;
    try {
        missing.exceptions(std::ios_base::failbit);
    } catch (const std::ios_base::failure& e) {
        thrown = check_arrives<std::ios_base::failure>(std::current_exception(), e.what());
    }
    REQUIRE(thrown);
    CHECK(code_of<std::ios_base::failure>(thrown) == std::io_errc::stream);
}

TEST_CASE("a filesystem_error arrives with its paths") {
    const std::filesystem::filesystem_error made("copy", "/from/here", "/to/there",
                                                 {EACCES, std::system_category()});
    const std::exception_ptr arrived = check_arrives(made);
    try {
        std::rethrow_exception(arrived);
    } catch (const std::filesystem::filesystem_error& e) {
        CHECK(e.path1() == "/from/here");
        CHECK(e.path2() == "/to/there");
        CHECK(e.code() == std::error_code(EACCES, std::system_category()));
    }
}

TEST_CASE("a path too long to send costs the paths only") {
    const std::filesystem::filesystem_error made("open", std::string(20000, 'p'),
                                                 {ENAMETOOLONG, std::generic_category()});
    try {
        std::rethrow_exception(over_the_wire(std::make_exception_ptr(made)));
    } catch (const std::filesystem::filesystem_error& e) {
        CHECK(e.path1().empty());
        CHECK(e.code() == std::errc::filename_too_long);
    }
}

TEST_CASE("future_error and regex_error arrive with their codes") {
    const std::future_error future(std::future_errc::broken_promise);
    CHECK(code_of<std::future_error>(check_arrives(future)) == std::future_errc::broken_promise);

    std::exception_ptr thrown;
    try {
        std::regex("(");
    } catch (const std::regex_error& e) {
        thrown = check_arrives<std::regex_error>(std::current_exception(), e.what());
    }
    REQUIRE(thrown);
    try {
        std::rethrow_exception(thrown);
    } catch (const std::regex_error& e) {
        CHECK(e.code() == std::regex_constants::error_paren);
    }
}

TEST_CASE("a type that derives from a standard one arrives as remote_error, with its name") {
    const std::exception_ptr arrived =
        over_the_wire(std::make_exception_ptr(parse_error("line 3")));
    CHECK_THROWS_AS(std::rethrow_exception(arrived), std::runtime_error);
    try {
        std::rethrow_exception(arrived);
    } catch (const std::logic_error&) {
        FAIL("a part of the exception was taken for the whole");
    } catch (const coproc::remote_error& e) {
        CHECK(e.type().find("parse_error") != std::string::npos);
        CHECK(e.what() == std::string("line 3"));
        CHECK(e.what_text() == "line 3");
        CHECK(e.worker_pid() == 4242);
    }
}

TEST_CASE("what is no std::exception arrives as remote_error") {
    try {
        std::rethrow_exception(over_the_wire(std::make_exception_ptr(42)));
    } catch (const coproc::remote_error& e) {
        CHECK(e.type() == "int");
        CHECK(e.what_text().empty());
        CHECK(e.what() == std::string("exception of type int"));
    }
}

TEST_CASE("a null what() is an empty text") {
    try {
        std::rethrow_exception(over_the_wire(std::make_exception_ptr(wordless())));
    } catch (const coproc::remote_error& e) {
        CHECK(e.what_text().empty());
    }
}

TEST_CASE("a text is cut at 64 KiB") {
    const std::runtime_error verbose(std::string(1000000, 'x'));
    const std::exception_ptr thrown = std::make_exception_ptr(verbose);
    CHECK(encode_exception(thrown).size() < 70000);
    try {
        std::rethrow_exception(over_the_wire(thrown));
    } catch (const std::runtime_error& e) {
        CHECK(e.what() == std::string(65536, 'x'));
    }
}

TEST_CASE("a text need not be UTF-8") {
    check_arrives(std::runtime_error("\xff\xfe caf\xe9 \x80"));
}

TEST_CASE("the wrapper of boost::throw_exception is taken off") {
    try {
        boost::throw_exception(std::out_of_range("7 of 3"));
    } catch (const std::exception&) {
        const std::exception_ptr arrived =
            check_arrives<std::out_of_range>(std::current_exception(), "7 of 3");
        CHECK(remote_type(arrived) == "std::out_of_range");
    }
}

TEST_CASE("an exception that crosses twice stays what it was") {
    SECTION("a standard type") {
        const std::exception_ptr inner = over_the_wire(std::make_exception_ptr(std::bad_alloc()));
        const std::exception_ptr outer =
            check_arrives<std::bad_alloc>(inner, std::bad_alloc().what());
        CHECK(remote_type(outer) == "std::bad_alloc");
    }
    SECTION("an unknown type") {
        const std::exception_ptr inner = over_the_wire(std::make_exception_ptr(parse_error("p")));
        const std::exception_ptr outer = decode_exception(encode_exception(inner), 17);
        CHECK_THROWS_AS(std::rethrow_exception(outer), coproc::remote_error);
        CHECK(remote_type(outer) == remote_type(inner));
        try {
            std::rethrow_exception(outer);
        } catch (const coproc::remote_exception& e) {
            CHECK(e.worker_pid() == 17);
        }
    }
    SECTION("what is no std::exception") {
        const std::exception_ptr outer = over_the_wire(over_the_wire(std::make_exception_ptr(1)));
        CHECK(remote_type(outer) == "int");
    }
}

TEST_CASE("nothing thrown is encoded as nothing") { CHECK(encode_exception(nullptr).empty()); }

TEST_CASE("an exception of a final type is made bare") {
    const auto origin = std::make_shared<const coproc::detail::remote_origin>();
    const std::exception_ptr made = coproc::detail::make_remote(last("end"), origin, nullptr);
    CHECK_THROWS_AS(std::rethrow_exception(made), last);
}
