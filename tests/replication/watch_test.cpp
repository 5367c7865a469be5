// SPDX-License-Identifier: Apache-2.0
//
// WatchSet: one-shot, in order, cancelled for good.
#include "replication/watch.hpp"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

using namespace kq;

namespace {

struct Heard {
    std::vector<std::string> lines;

    WatchCallback callback(std::string name) {
        return [this, name = std::move(name)](const Status& status) {
            lines.push_back(status.ok() ? name : name + ' ' + std::string(name_of(status.code())));
        };
    }
};

}  // namespace

TEST_CASE("a watch fires once, when its kind reaches its threshold", "[replication][watch]") {
    WatchSet set;
    Heard heard;
    set.add(WatchKind::high_watermark, Offset{10}, heard.callback("hw10"));
    set.add(WatchKind::high_watermark, Offset{11}, heard.callback("hw11"));
    set.add(WatchKind::log_end, Offset{10}, heard.callback("end10"));

    std::vector<FiredWatch> fired;
    set.reached(WatchKind::high_watermark, Offset{9}, fired);
    CHECK(fired.empty());
    set.reached(WatchKind::high_watermark, Offset{10}, fired);
    set.reached(WatchKind::high_watermark, Offset{10}, fired);
    call_all(std::move(fired));
    CHECK(heard.lines == std::vector<std::string>{"hw10"});
    CHECK(set.size() == 2);
}

TEST_CASE("watches fire in the order in which they were registered", "[replication][watch]") {
    WatchSet set;
    Heard heard;
    set.add(WatchKind::durable, Offset{7}, heard.callback("a"));
    set.add(WatchKind::durable, Offset{3}, heard.callback("b"));
    set.add(WatchKind::durable, Offset{5}, heard.callback("c"));
    set.add(WatchKind::durable, Offset{9}, heard.callback("d"));
    std::vector<FiredWatch> fired;
    set.reached(WatchKind::durable, Offset{7}, fired);
    call_all(std::move(fired));
    CHECK(heard.lines == std::vector<std::string>{"a", "b", "c"});
    CHECK(set.size() == 1);
}

TEST_CASE("a cancelled watch never fires, and is cancelled once", "[replication][watch]") {
    WatchSet set;
    Heard heard;
    const WatchId id = set.add(WatchKind::log_start, Offset{1}, heard.callback("start"));
    CHECK(set.cancel(id));
    CHECK_FALSE(set.cancel(id));
    CHECK_FALSE(set.cancel(WatchId::none));
    std::vector<FiredWatch> fired;
    set.reached(WatchKind::log_start, Offset{100}, fired);
    CHECK(fired.empty());
    CHECK(set.empty());
}

TEST_CASE("what can no longer come fails every watch", "[replication][watch]") {
    WatchSet set;
    Heard heard;
    set.add(WatchKind::high_watermark, Offset{10}, heard.callback("hw"));
    set.add(WatchKind::any_change, Offset{0}, heard.callback("any"));
    std::vector<FiredWatch> fired;
    set.fail_all(Error(Errc::not_leader_or_follower), fired);
    call_all(std::move(fired));
    CHECK(heard.lines ==
          std::vector<std::string>{"hw NOT_LEADER_OR_FOLLOWER", "any NOT_LEADER_OR_FOLLOWER"});
    CHECK(set.empty());
}

TEST_CASE("only the watches of one kind fail where only that cannot come", "[replication][watch]") {
    WatchSet set;
    Heard heard;
    set.add(WatchKind::high_watermark, Offset{10}, heard.callback("hw"));
    set.add(WatchKind::log_end, Offset{10}, heard.callback("end"));
    std::vector<FiredWatch> fired;
    set.fail(WatchKind::high_watermark, Error(Errc::not_enough_replicas_after_append), fired);
    call_all(std::move(fired));
    CHECK(heard.lines == std::vector<std::string>{"hw NOT_ENOUGH_REPLICAS_AFTER_APPEND"});
    CHECK(set.size() == 1);
}

TEST_CASE("any change fires the watches that wait for one", "[replication][watch]") {
    WatchSet set;
    Heard heard;
    set.add(WatchKind::any_change, Offset{0}, heard.callback("any"));
    set.add(WatchKind::log_end, Offset{10}, heard.callback("end"));
    std::vector<FiredWatch> fired;
    set.changed(fired);
    call_all(std::move(fired));
    CHECK(heard.lines == std::vector<std::string>{"any"});
}
