// SPDX-License-Identifier: Apache-2.0
//
// Function: a callable that is moved, never copied, so it may own what it captures (a Reply, a
// buffer, a socket). Task is what loops queue; Callback<void(T)> is how an answer comes back.
//
// shape    up to 64 bytes of captures live inside; more are allocated once
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "base/check.hpp"

namespace kq {

template <class Signature>
class Function;

template <class R, class... Args>
class Function<R(Args...)> {
public:
    Function() noexcept = default;
    Function(std::nullptr_t) noexcept {}

    template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, Function> &&
             std::is_invocable_r_v<R, std::remove_cvref_t<F>&, Args...>) Function(F&& callable) {
        using Held = std::remove_cvref_t<F>;
        if constexpr (fits<Held>) {
            ::new (static_cast<void*>(place_)) Held(std::forward<F>(callable));
            vtable_ = &inline_vtable<Held>;
        } else {
            ::new (static_cast<void*>(place_)) Held*(new Held(std::forward<F>(callable)));
            vtable_ = &heap_vtable<Held>;
        }
    }

    Function(Function&& other) noexcept { take(other); }
    Function& operator=(Function&& other) noexcept {
        if (this != &other) {
            clear();
            take(other);
        }
        return *this;
    }
    Function(const Function&) = delete;
    Function& operator=(const Function&) = delete;
    ~Function() { clear(); }

    explicit operator bool() const noexcept { return vtable_ != nullptr; }
    friend bool operator==(const Function& f, std::nullptr_t) noexcept { return !f; }

    R operator()(Args... args) {
        KQ_CHECK(vtable_ != nullptr);
        return vtable_->call(place_, std::forward<Args>(args)...);
    }

private:
    static constexpr std::size_t capacity = 64;
    struct VTable {
        R (*call)(void*, Args&&...);
        void (*move)(void* from, void* to) noexcept;
        void (*destroy)(void*) noexcept;
    };

    template <class Held>
    static constexpr bool fits =
        sizeof(Held) <= capacity &&
        alignof(Held) <= alignof(std::max_align_t) && std::is_nothrow_move_constructible_v<Held>;

    template <class Held>
    static constexpr VTable inline_vtable{
        [](void* place, Args&&... args) -> R {
            return (*static_cast<Held*>(place))(std::forward<Args>(args)...);
        },
        [](void* from, void* to) noexcept {
            ::new (to) Held(std::move(*static_cast<Held*>(from)));
            static_cast<Held*>(from)->~Held();
        },
        [](void* place) noexcept { static_cast<Held*>(place)->~Held(); }};

    template <class Held>
    static constexpr VTable heap_vtable{
        [](void* place, Args&&... args) -> R {
            return (**static_cast<Held**>(place))(std::forward<Args>(args)...);
        },
        [](void* from, void* to) noexcept { ::new (to) Held*(*static_cast<Held**>(from)); },
        [](void* place) noexcept { delete *static_cast<Held**>(place); }};

    void take(Function& other) noexcept {
        vtable_ = std::exchange(other.vtable_, nullptr);
        if (vtable_ != nullptr) vtable_->move(other.place_, place_);
    }
    void clear() noexcept {
        if (vtable_ != nullptr) std::exchange(vtable_, nullptr)->destroy(place_);
    }

    const VTable* vtable_ = nullptr;
    alignas(std::max_align_t) std::byte place_[capacity];
};

using Task = Function<void()>;
template <class Signature>
using Callback = Function<Signature>;

}  // namespace kq
