// The coroutine type and completion token used everywhere (house style §7).
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace sandtrap::net {

template <class T>
using Task = boost::asio::awaitable<T>;
namespace asio = boost::asio;
inline constexpr auto use_ec = boost::asio::as_tuple(boost::asio::use_awaitable);

}  // namespace sandtrap::net
