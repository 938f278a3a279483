#pragma once

// The fields of an aggregate by structured bindings, which want a name for each: hence the lists.
//
// Boost.PFR does the same and more, but `sizeof(T{})` in its counting crashes GCC 12 when a field
// holds an array of a class type, as in struct { std::array<std::string, 2> names; }.

#include <cstddef>
#include <type_traits>

namespace coproc::detail {

template <class... T>
struct types {};

inline constexpr std::size_t max_fields = 64;

// clang-format off
#define COPROC_NAMES_1 f1
#define COPROC_NAMES_2 COPROC_NAMES_1, f2
#define COPROC_NAMES_3 COPROC_NAMES_2, f3
#define COPROC_NAMES_4 COPROC_NAMES_3, f4
#define COPROC_NAMES_5 COPROC_NAMES_4, f5
#define COPROC_NAMES_6 COPROC_NAMES_5, f6
#define COPROC_NAMES_7 COPROC_NAMES_6, f7
#define COPROC_NAMES_8 COPROC_NAMES_7, f8
#define COPROC_NAMES_9 COPROC_NAMES_8, f9
#define COPROC_NAMES_10 COPROC_NAMES_9, f10
#define COPROC_NAMES_11 COPROC_NAMES_10, f11
#define COPROC_NAMES_12 COPROC_NAMES_11, f12
#define COPROC_NAMES_13 COPROC_NAMES_12, f13
#define COPROC_NAMES_14 COPROC_NAMES_13, f14
#define COPROC_NAMES_15 COPROC_NAMES_14, f15
#define COPROC_NAMES_16 COPROC_NAMES_15, f16
#define COPROC_NAMES_17 COPROC_NAMES_16, f17
#define COPROC_NAMES_18 COPROC_NAMES_17, f18
#define COPROC_NAMES_19 COPROC_NAMES_18, f19
#define COPROC_NAMES_20 COPROC_NAMES_19, f20
#define COPROC_NAMES_21 COPROC_NAMES_20, f21
#define COPROC_NAMES_22 COPROC_NAMES_21, f22
#define COPROC_NAMES_23 COPROC_NAMES_22, f23
#define COPROC_NAMES_24 COPROC_NAMES_23, f24
#define COPROC_NAMES_25 COPROC_NAMES_24, f25
#define COPROC_NAMES_26 COPROC_NAMES_25, f26
#define COPROC_NAMES_27 COPROC_NAMES_26, f27
#define COPROC_NAMES_28 COPROC_NAMES_27, f28
#define COPROC_NAMES_29 COPROC_NAMES_28, f29
#define COPROC_NAMES_30 COPROC_NAMES_29, f30
#define COPROC_NAMES_31 COPROC_NAMES_30, f31
#define COPROC_NAMES_32 COPROC_NAMES_31, f32
#define COPROC_NAMES_33 COPROC_NAMES_32, f33
#define COPROC_NAMES_34 COPROC_NAMES_33, f34
#define COPROC_NAMES_35 COPROC_NAMES_34, f35
#define COPROC_NAMES_36 COPROC_NAMES_35, f36
#define COPROC_NAMES_37 COPROC_NAMES_36, f37
#define COPROC_NAMES_38 COPROC_NAMES_37, f38
#define COPROC_NAMES_39 COPROC_NAMES_38, f39
#define COPROC_NAMES_40 COPROC_NAMES_39, f40
#define COPROC_NAMES_41 COPROC_NAMES_40, f41
#define COPROC_NAMES_42 COPROC_NAMES_41, f42
#define COPROC_NAMES_43 COPROC_NAMES_42, f43
#define COPROC_NAMES_44 COPROC_NAMES_43, f44
#define COPROC_NAMES_45 COPROC_NAMES_44, f45
#define COPROC_NAMES_46 COPROC_NAMES_45, f46
#define COPROC_NAMES_47 COPROC_NAMES_46, f47
#define COPROC_NAMES_48 COPROC_NAMES_47, f48
#define COPROC_NAMES_49 COPROC_NAMES_48, f49
#define COPROC_NAMES_50 COPROC_NAMES_49, f50
#define COPROC_NAMES_51 COPROC_NAMES_50, f51
#define COPROC_NAMES_52 COPROC_NAMES_51, f52
#define COPROC_NAMES_53 COPROC_NAMES_52, f53
#define COPROC_NAMES_54 COPROC_NAMES_53, f54
#define COPROC_NAMES_55 COPROC_NAMES_54, f55
#define COPROC_NAMES_56 COPROC_NAMES_55, f56
#define COPROC_NAMES_57 COPROC_NAMES_56, f57
#define COPROC_NAMES_58 COPROC_NAMES_57, f58
#define COPROC_NAMES_59 COPROC_NAMES_58, f59
#define COPROC_NAMES_60 COPROC_NAMES_59, f60
#define COPROC_NAMES_61 COPROC_NAMES_60, f61
#define COPROC_NAMES_62 COPROC_NAMES_61, f62
#define COPROC_NAMES_63 COPROC_NAMES_62, f63
#define COPROC_NAMES_64 COPROC_NAMES_63, f64

#define COPROC_TYPES_1 decltype(f1)
#define COPROC_TYPES_2 COPROC_TYPES_1, decltype(f2)
#define COPROC_TYPES_3 COPROC_TYPES_2, decltype(f3)
#define COPROC_TYPES_4 COPROC_TYPES_3, decltype(f4)
#define COPROC_TYPES_5 COPROC_TYPES_4, decltype(f5)
#define COPROC_TYPES_6 COPROC_TYPES_5, decltype(f6)
#define COPROC_TYPES_7 COPROC_TYPES_6, decltype(f7)
#define COPROC_TYPES_8 COPROC_TYPES_7, decltype(f8)
#define COPROC_TYPES_9 COPROC_TYPES_8, decltype(f9)
#define COPROC_TYPES_10 COPROC_TYPES_9, decltype(f10)
#define COPROC_TYPES_11 COPROC_TYPES_10, decltype(f11)
#define COPROC_TYPES_12 COPROC_TYPES_11, decltype(f12)
#define COPROC_TYPES_13 COPROC_TYPES_12, decltype(f13)
#define COPROC_TYPES_14 COPROC_TYPES_13, decltype(f14)
#define COPROC_TYPES_15 COPROC_TYPES_14, decltype(f15)
#define COPROC_TYPES_16 COPROC_TYPES_15, decltype(f16)
#define COPROC_TYPES_17 COPROC_TYPES_16, decltype(f17)
#define COPROC_TYPES_18 COPROC_TYPES_17, decltype(f18)
#define COPROC_TYPES_19 COPROC_TYPES_18, decltype(f19)
#define COPROC_TYPES_20 COPROC_TYPES_19, decltype(f20)
#define COPROC_TYPES_21 COPROC_TYPES_20, decltype(f21)
#define COPROC_TYPES_22 COPROC_TYPES_21, decltype(f22)
#define COPROC_TYPES_23 COPROC_TYPES_22, decltype(f23)
#define COPROC_TYPES_24 COPROC_TYPES_23, decltype(f24)
#define COPROC_TYPES_25 COPROC_TYPES_24, decltype(f25)
#define COPROC_TYPES_26 COPROC_TYPES_25, decltype(f26)
#define COPROC_TYPES_27 COPROC_TYPES_26, decltype(f27)
#define COPROC_TYPES_28 COPROC_TYPES_27, decltype(f28)
#define COPROC_TYPES_29 COPROC_TYPES_28, decltype(f29)
#define COPROC_TYPES_30 COPROC_TYPES_29, decltype(f30)
#define COPROC_TYPES_31 COPROC_TYPES_30, decltype(f31)
#define COPROC_TYPES_32 COPROC_TYPES_31, decltype(f32)
#define COPROC_TYPES_33 COPROC_TYPES_32, decltype(f33)
#define COPROC_TYPES_34 COPROC_TYPES_33, decltype(f34)
#define COPROC_TYPES_35 COPROC_TYPES_34, decltype(f35)
#define COPROC_TYPES_36 COPROC_TYPES_35, decltype(f36)
#define COPROC_TYPES_37 COPROC_TYPES_36, decltype(f37)
#define COPROC_TYPES_38 COPROC_TYPES_37, decltype(f38)
#define COPROC_TYPES_39 COPROC_TYPES_38, decltype(f39)
#define COPROC_TYPES_40 COPROC_TYPES_39, decltype(f40)
#define COPROC_TYPES_41 COPROC_TYPES_40, decltype(f41)
#define COPROC_TYPES_42 COPROC_TYPES_41, decltype(f42)
#define COPROC_TYPES_43 COPROC_TYPES_42, decltype(f43)
#define COPROC_TYPES_44 COPROC_TYPES_43, decltype(f44)
#define COPROC_TYPES_45 COPROC_TYPES_44, decltype(f45)
#define COPROC_TYPES_46 COPROC_TYPES_45, decltype(f46)
#define COPROC_TYPES_47 COPROC_TYPES_46, decltype(f47)
#define COPROC_TYPES_48 COPROC_TYPES_47, decltype(f48)
#define COPROC_TYPES_49 COPROC_TYPES_48, decltype(f49)
#define COPROC_TYPES_50 COPROC_TYPES_49, decltype(f50)
#define COPROC_TYPES_51 COPROC_TYPES_50, decltype(f51)
#define COPROC_TYPES_52 COPROC_TYPES_51, decltype(f52)
#define COPROC_TYPES_53 COPROC_TYPES_52, decltype(f53)
#define COPROC_TYPES_54 COPROC_TYPES_53, decltype(f54)
#define COPROC_TYPES_55 COPROC_TYPES_54, decltype(f55)
#define COPROC_TYPES_56 COPROC_TYPES_55, decltype(f56)
#define COPROC_TYPES_57 COPROC_TYPES_56, decltype(f57)
#define COPROC_TYPES_58 COPROC_TYPES_57, decltype(f58)
#define COPROC_TYPES_59 COPROC_TYPES_58, decltype(f59)
#define COPROC_TYPES_60 COPROC_TYPES_59, decltype(f60)
#define COPROC_TYPES_61 COPROC_TYPES_60, decltype(f61)
#define COPROC_TYPES_62 COPROC_TYPES_61, decltype(f62)
#define COPROC_TYPES_63 COPROC_TYPES_62, decltype(f63)
#define COPROC_TYPES_64 COPROC_TYPES_63, decltype(f64)

#define COPROC_FOR_EACH_COUNT(CASE) \
    CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) \
    CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14) CASE(15) CASE(16) \
    CASE(17) CASE(18) CASE(19) CASE(20) CASE(21) CASE(22) CASE(23) CASE(24) \
    CASE(25) CASE(26) CASE(27) CASE(28) CASE(29) CASE(30) CASE(31) CASE(32) \
    CASE(33) CASE(34) CASE(35) CASE(36) CASE(37) CASE(38) CASE(39) CASE(40) \
    CASE(41) CASE(42) CASE(43) CASE(44) CASE(45) CASE(46) CASE(47) CASE(48) \
    CASE(49) CASE(50) CASE(51) CASE(52) CASE(53) CASE(54) CASE(55) CASE(56) \
    CASE(57) CASE(58) CASE(59) CASE(60) CASE(61) CASE(62) CASE(63) CASE(64)
// clang-format on

/// In place of a function for visit_fields().
struct types_only {};

/// Calls `visit` with all fields of an aggregate that has `Count` of them. With `types_only` it
/// gives their types as fields of a const object, as `types<...>`, also of those that no reference
/// can be bound to. One `if constexpr` after the other: compilers take much longer for branches
/// that lie in each other.
template <std::size_t Count, class T, class Visit>
constexpr decltype(auto) visit_fields([[maybe_unused]] const T& value, Visit&& visit) {
    if constexpr (Count == 0) {
        if constexpr (std::is_same_v<Visit, types_only>) {
            return types<>{};
        } else {
            return visit();
        }
    }
#define COPROC_VISIT(N)                                                                            \
    if constexpr (Count == N) {                                                                    \
        const auto& [COPROC_NAMES_##N] = value;                                                    \
        if constexpr (std::is_same_v<Visit, types_only>) {                                         \
            return types<COPROC_TYPES_##N>{};                                                      \
        } else {                                                                                   \
            return visit(COPROC_NAMES_##N);                                                        \
        }                                                                                          \
    }
    COPROC_FOR_EACH_COUNT(COPROC_VISIT)
#undef COPROC_VISIT
}

#undef COPROC_FOR_EACH_COUNT
#undef COPROC_NAMES_1
#undef COPROC_NAMES_2
#undef COPROC_NAMES_3
#undef COPROC_NAMES_4
#undef COPROC_NAMES_5
#undef COPROC_NAMES_6
#undef COPROC_NAMES_7
#undef COPROC_NAMES_8
#undef COPROC_NAMES_9
#undef COPROC_NAMES_10
#undef COPROC_NAMES_11
#undef COPROC_NAMES_12
#undef COPROC_NAMES_13
#undef COPROC_NAMES_14
#undef COPROC_NAMES_15
#undef COPROC_NAMES_16
#undef COPROC_NAMES_17
#undef COPROC_NAMES_18
#undef COPROC_NAMES_19
#undef COPROC_NAMES_20
#undef COPROC_NAMES_21
#undef COPROC_NAMES_22
#undef COPROC_NAMES_23
#undef COPROC_NAMES_24
#undef COPROC_NAMES_25
#undef COPROC_NAMES_26
#undef COPROC_NAMES_27
#undef COPROC_NAMES_28
#undef COPROC_NAMES_29
#undef COPROC_NAMES_30
#undef COPROC_NAMES_31
#undef COPROC_NAMES_32
#undef COPROC_NAMES_33
#undef COPROC_NAMES_34
#undef COPROC_NAMES_35
#undef COPROC_NAMES_36
#undef COPROC_NAMES_37
#undef COPROC_NAMES_38
#undef COPROC_NAMES_39
#undef COPROC_NAMES_40
#undef COPROC_NAMES_41
#undef COPROC_NAMES_42
#undef COPROC_NAMES_43
#undef COPROC_NAMES_44
#undef COPROC_NAMES_45
#undef COPROC_NAMES_46
#undef COPROC_NAMES_47
#undef COPROC_NAMES_48
#undef COPROC_NAMES_49
#undef COPROC_NAMES_50
#undef COPROC_NAMES_51
#undef COPROC_NAMES_52
#undef COPROC_NAMES_53
#undef COPROC_NAMES_54
#undef COPROC_NAMES_55
#undef COPROC_NAMES_56
#undef COPROC_NAMES_57
#undef COPROC_NAMES_58
#undef COPROC_NAMES_59
#undef COPROC_NAMES_60
#undef COPROC_NAMES_61
#undef COPROC_NAMES_62
#undef COPROC_NAMES_63
#undef COPROC_NAMES_64
#undef COPROC_TYPES_1
#undef COPROC_TYPES_2
#undef COPROC_TYPES_3
#undef COPROC_TYPES_4
#undef COPROC_TYPES_5
#undef COPROC_TYPES_6
#undef COPROC_TYPES_7
#undef COPROC_TYPES_8
#undef COPROC_TYPES_9
#undef COPROC_TYPES_10
#undef COPROC_TYPES_11
#undef COPROC_TYPES_12
#undef COPROC_TYPES_13
#undef COPROC_TYPES_14
#undef COPROC_TYPES_15
#undef COPROC_TYPES_16
#undef COPROC_TYPES_17
#undef COPROC_TYPES_18
#undef COPROC_TYPES_19
#undef COPROC_TYPES_20
#undef COPROC_TYPES_21
#undef COPROC_TYPES_22
#undef COPROC_TYPES_23
#undef COPROC_TYPES_24
#undef COPROC_TYPES_25
#undef COPROC_TYPES_26
#undef COPROC_TYPES_27
#undef COPROC_TYPES_28
#undef COPROC_TYPES_29
#undef COPROC_TYPES_30
#undef COPROC_TYPES_31
#undef COPROC_TYPES_32
#undef COPROC_TYPES_33
#undef COPROC_TYPES_34
#undef COPROC_TYPES_35
#undef COPROC_TYPES_36
#undef COPROC_TYPES_37
#undef COPROC_TYPES_38
#undef COPROC_TYPES_39
#undef COPROC_TYPES_40
#undef COPROC_TYPES_41
#undef COPROC_TYPES_42
#undef COPROC_TYPES_43
#undef COPROC_TYPES_44
#undef COPROC_TYPES_45
#undef COPROC_TYPES_46
#undef COPROC_TYPES_47
#undef COPROC_TYPES_48
#undef COPROC_TYPES_49
#undef COPROC_TYPES_50
#undef COPROC_TYPES_51
#undef COPROC_TYPES_52
#undef COPROC_TYPES_53
#undef COPROC_TYPES_54
#undef COPROC_TYPES_55
#undef COPROC_TYPES_56
#undef COPROC_TYPES_57
#undef COPROC_TYPES_58
#undef COPROC_TYPES_59
#undef COPROC_TYPES_60
#undef COPROC_TYPES_61
#undef COPROC_TYPES_62
#undef COPROC_TYPES_63
#undef COPROC_TYPES_64

} // namespace coproc::detail
