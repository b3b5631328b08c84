// Compared at compile time: what the toolkit's headers declare, and what the plan says of it.
//
// Only the generated checks include this; the shims know no header of the toolkit.
#pragma once

#include <cstddef>
#include <type_traits>

namespace gilgen {

// ---------------------------------------------------------------------------------- carriers of types

struct Hidden; // travels by the address of a copy
struct Unfit;  // no built-in type travels as this does

// "Non-trivial for the purposes of calls" (Itanium C++ ABI, 1.1): the destructor, or a copy or move constructor
// that can be called, runs code; or none of the constructors can be called.
template <class Class>
constexpr bool hidden = !std::is_trivially_destructible_v<Class>
    || (std::is_copy_constructible_v<Class> && !std::is_trivially_copy_constructible_v<Class>)
    || (std::is_move_constructible_v<Class> && !std::is_trivially_move_constructible_v<Class>)
    || (!std::is_copy_constructible_v<Class> && !std::is_move_constructible_v<Class>);

template <class Type, class = void>
struct Carrier {
    using type = Unfit; // pointers to members among them: one or two words
};

template <class Type>
struct Carrier<Type, std::enable_if_t<std::is_void_v<Type> || std::is_arithmetic_v<Type>>> {
    using type = std::remove_cv_t<Type>;
};

template <> struct Carrier<__int128> { using type = __int128; };
template <> struct Carrier<unsigned __int128> { using type = unsigned __int128; };

template <class Type>
struct Carrier<Type, std::enable_if_t<std::is_pointer_v<Type> || std::is_reference_v<Type> || std::is_null_pointer_v<Type>>> {
    using type = void*;
};

template <class Type>
struct Carrier<Type, std::enable_if_t<std::is_enum_v<Type>>> {
    using type = std::underlying_type_t<Type>;
};

template <class Type>
struct Carrier<Type, std::enable_if_t<std::is_class_v<Type> || std::is_union_v<Type>>> {
    using type = std::conditional_t<hidden<Type>, Hidden, Unfit>;
};

// ---------------------------------------------------------------------------------- results of shims

struct Scalar;       // in a general register, or none
struct Real;         // in a register for floating numbers
struct HiddenResult; // by an address that the caller gives

template <class Type>
using ResultOf = std::conditional_t<std::is_same_v<Type, Hidden>, HiddenResult,
    std::conditional_t<std::is_same_v<Type, float> || std::is_same_v<Type, double>, Real,
        std::conditional_t<std::is_same_v<Type, Unfit> || std::is_same_v<Type, long double>
                || std::is_same_v<Type, __int128> || std::is_same_v<Type, unsigned __int128>, Unfit, Scalar>>>;

// ------------------------------------------------------------------------------------------- methods

// Picks the overload with just these parameters. Nothing here is called, so nothing is compiled of it.
template <class... Parameters>
struct Takes {
    template <class Result, class Class>
    static auto method(Result (Class::*)(Parameters...)) -> Result (Class::*)(Parameters...);
    template <class Result, class Class>
    static auto constant(Result (Class::*)(Parameters...) const) -> Result (Class::*)(Parameters...) const;
    template <class Result>
    static auto function(Result (*)(Parameters...)) -> Result (*)(Parameters...);

    // The same where a template of that name is among the overloads: then nothing can be left to be found out.
    template <class Result, class Class>
    static auto only_method(Result (Class::*)(Parameters...)) -> Result (Class::*)(Parameters...);
    template <class Result, class Class>
    static auto only_constant(Result (Class::*)(Parameters...) const) -> Result (Class::*)(Parameters...) const;
    template <class Result, class>
    static auto only_function(Result (*)(Parameters...)) -> Result (*)(Parameters...);
};

// What a header's spelling of a result means is known inside the class: this brings its names in.
struct Nothing {};
template <class Class>
using Inside = std::conditional_t<std::is_final_v<Class>, Nothing, Class>;

struct Anything; // stands for a class where there is none to compare

template <class Class, class Upstream, class Result, class Shim, class ResultCarrier, class... Carriers>
struct Planned {};

template <class Found, class Class, class Plan>
struct Compared;

template <class Found, class Result, class... Parameters,
    class Class, class Upstream, class Declared, class Shim, class ResultCarrier, class... Carriers>
struct Compared<Found, Result(Parameters...), Planned<Class, Upstream, Declared, Shim, ResultCarrier, Carriers...>> {
    static_assert(std::is_same_v<Found, Class>, "GILGEN: a base class declares this method, not the class that its symbol names");
    static_assert(std::is_same_v<Result, Declared> || std::is_same_v<Declared, Anything>, "GILGEN: the result is of another type");
    static_assert(std::is_same_v<typename Carrier<Result>::type, ResultCarrier>, "GILGEN: the result has another carrier");
    static_assert(std::is_same_v<ResultOf<typename Carrier<Result>::type>, Shim>, "GILGEN: the shim returns its result in another way");
    static_assert(std::is_same_v<Planned<void, void, void, void, void, typename Carrier<Parameters>::type...>,
            Planned<void, void, void, void, void, Carriers...>>, "GILGEN: a parameter has another carrier");
    static_assert(std::is_same_v<Upstream, Anything> || std::is_base_of_v<Upstream, Class>, "GILGEN: the guard takes the object for one of another class");
};

// `number` tells apart methods of which all else is the same: each is asked for once.
template <int number, class Found, class Plan>
struct Confirmed;

template <int number, class Found, class Result, class... Parameters, class Plan>
struct Confirmed<number, Result (Found::*)(Parameters...), Plan> : Compared<Found, Result(Parameters...), Plan> {};

template <int number, class Found, class Result, class... Parameters, class Plan>
struct Confirmed<number, Result (Found::*)(Parameters...) const, Plan> : Compared<Found, Result(Parameters...), Plan> {};

template <int number, class Result, class... Parameters, class Class, class... Rest>
struct Confirmed<number, Result (*)(Parameters...), Planned<Class, Rest...>>
    : Compared<Class, Result(Parameters...), Planned<Class, Rest...>> {};

} // namespace gilgen
