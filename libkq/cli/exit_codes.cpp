// SPDX-License-Identifier: Apache-2.0
#include "cli/exit_codes.hpp"

namespace kq {

Exit exit_of(Errc code) {
    switch (code) {
        case Errc::none:
            return exit_ok;
        case Errc::usage:
            return exit_usage;
        case Errc::unreachable:
        case Errc::connection_closed:
        case Errc::network_exception:
        case Errc::broker_not_available:
        case Errc::malformed:  // what answers is no broker
            return exit_unreachable;
        case Errc::topic_authorization_failed:
        case Errc::group_authorization_failed:
        case Errc::cluster_authorization_failed:
        case Errc::transactional_id_authorization_failed:
        case Errc::delegation_token_authorization_failed:
        case Errc::sasl_authentication_failed:
        case Errc::unsupported_sasl_mechanism:
        case Errc::illegal_sasl_state:
            return exit_denied;
        case Errc::deadline_passed:
        case Errc::request_timed_out:
            return exit_timeout;
        case Errc::bad_data:
        case Errc::corrupt_file:
        case Errc::corrupt_message:
            return exit_data;
        default:
            return exit_refused;
    }
}

}  // namespace kq
