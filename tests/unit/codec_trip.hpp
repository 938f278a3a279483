#pragma once

#include <coproc/codec.hpp>

/// Encodes a value and decodes it again.
template <class T>
T trip(const T& value) {
    coproc::encoder out;
    out.write(value);
    coproc::decoder in(out.bytes());
    T decoded = in.read<T>();
    in.finish();
    return decoded;
}
