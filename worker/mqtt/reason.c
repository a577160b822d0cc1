/* SPDX-License-Identifier: Apache-2.0 */
/* Reason codes. See reason.h. */
#include "worker/mqtt/reason.h"

#include <stddef.h>

#include "worker/base/macros.h"

struct reason {
    int code;
    enum mqtt_verdict connack;
    enum mqtt_verdict suback;
    const char *text;
};

/* MQTT 5, 2.4; codes that no CONNACK or SUBACK carries stand here for their text. */
static const struct reason reasons[] = {
    { 0x00, MQTT_VERDICT_OK, MQTT_VERDICT_OK, "success" },
    { 0x01, MQTT_VERDICT_VERSION, MQTT_VERDICT_OK, "granted QoS 1" },
    { 0x02, MQTT_VERDICT_RETRY, MQTT_VERDICT_OK, "granted QoS 2" },
    { 0x10, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "no matching subscribers" },
    { 0x80, MQTT_VERDICT_RETRY, MQTT_VERDICT_REFUSED, "unspecified error" },
    { 0x81, MQTT_VERDICT_VERSION, MQTT_VERDICT_RETRY, "malformed packet" },
    { 0x82, MQTT_VERDICT_VERSION, MQTT_VERDICT_RETRY, "protocol error" },
    { 0x83, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "implementation specific error" },
    { 0x84, MQTT_VERDICT_VERSION, MQTT_VERDICT_RETRY, "unsupported protocol version" },
    { 0x85, MQTT_VERDICT_REFUSED, MQTT_VERDICT_RETRY, "client identifier not valid" },
    { 0x86, MQTT_VERDICT_REFUSED, MQTT_VERDICT_RETRY, "bad user name or password" },
    { 0x87, MQTT_VERDICT_REFUSED, MQTT_VERDICT_REFUSED, "not authorised" },
    { 0x88, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "server unavailable" },
    { 0x89, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "server busy" },
    { 0x8A, MQTT_VERDICT_REFUSED, MQTT_VERDICT_RETRY, "banned" },
    { 0x8B, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "server shutting down" },
    { 0x8C, MQTT_VERDICT_REFUSED, MQTT_VERDICT_RETRY, "bad authentication method" },
    { 0x8D, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "keep alive timeout" },
    { 0x8E, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "session taken over" },
    { 0x8F, MQTT_VERDICT_RETRY, MQTT_VERDICT_REFUSED, "topic filter invalid" },
    { 0x90, MQTT_VERDICT_REFUSED, MQTT_VERDICT_RETRY, "topic name invalid" },
    { 0x91, MQTT_VERDICT_RETRY, MQTT_VERDICT_AGAIN, "packet identifier in use" },
    { 0x93, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "receive maximum exceeded" },
    { 0x95, MQTT_VERDICT_REFUSED, MQTT_VERDICT_RETRY, "packet too large" },
    { 0x94, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "topic alias invalid" },
    { 0x96, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "message rate too high" },
    { 0x97, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "quota exceeded" },
    { 0x98, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "administrative action" },
    { 0x99, MQTT_VERDICT_REFUSED, MQTT_VERDICT_RETRY, "payload format invalid" },
    { 0x9A, MQTT_VERDICT_REFUSED, MQTT_VERDICT_RETRY, "retain not supported" },
    { 0x9B, MQTT_VERDICT_REFUSED, MQTT_VERDICT_RETRY, "QoS not supported" },
    { 0x9C, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "use another server" },
    { 0x9D, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "server moved" },
    { 0x9E, MQTT_VERDICT_RETRY, MQTT_VERDICT_NO_SHARE, "shared subscriptions not supported" },
    { 0x9F, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "connection rate exceeded" },
    { 0xA0, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "maximum connect time" },
    { 0xA1, MQTT_VERDICT_RETRY, MQTT_VERDICT_REFUSED, "subscription identifiers not supported" },
    { 0xA2, MQTT_VERDICT_RETRY, MQTT_VERDICT_REFUSED, "wildcard subscriptions not supported" },
};

/* MQTT 3.1.1, 3.2.2.3. */
static const struct reason return_codes[] = {
    { 0, MQTT_VERDICT_OK, MQTT_VERDICT_OK, "accepted" },
    { 1, MQTT_VERDICT_VERSION, MQTT_VERDICT_OK, "unacceptable protocol version" },
    { 2, MQTT_VERDICT_REFUSED, MQTT_VERDICT_OK, "client identifier rejected" },
    { 3, MQTT_VERDICT_RETRY, MQTT_VERDICT_RETRY, "server unavailable" },
    { 4, MQTT_VERDICT_REFUSED, MQTT_VERDICT_RETRY, "bad user name or password" },
    { 5, MQTT_VERDICT_REFUSED, MQTT_VERDICT_RETRY, "not authorised" },
    { 0x80, MQTT_VERDICT_RETRY, MQTT_VERDICT_REFUSED, "subscription refused" },
};

static const struct reason *find(int code, bool v5)
{
    size_t n = v5 ? N_ELEMENTS(reasons) : N_ELEMENTS(return_codes);
    const struct reason *rows = v5 ? reasons : return_codes;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].code == code) {
            return &rows[i];
        }
    }
    return NULL;
}

enum mqtt_verdict mqtt_connack_verdict(int code, bool v5)
{
    const struct reason *reason = find(code, v5);
    return reason ? reason->connack : MQTT_VERDICT_RETRY;
}

/* Some brokers answer 0x91 in 3.1.1 as well, where a SUBACK knows only 0, 1, 2 and 0x80. */
enum mqtt_verdict mqtt_suback_verdict(int code, bool v5)
{
    const struct reason *reason = find(code, v5 || code == 0x91);
    return reason ? reason->suback : MQTT_VERDICT_RETRY;
}

/* MQTT 5, 3.14.2.1: the codes of a server that mean more than "try again". */
enum mqtt_farewell mqtt_farewell(int code)
{
    static const struct {
        int code;
        enum mqtt_farewell farewell;
    } farewells[] = {
        { 0x86, MQTT_FAREWELL_REFUSED },    { 0x87, MQTT_FAREWELL_REFUSED },
        { 0x89, MQTT_FAREWELL_LATER },      { 0x8A, MQTT_FAREWELL_REFUSED },
        { 0x8E, MQTT_FAREWELL_TAKEN_OVER }, { 0x8F, MQTT_FAREWELL_REFUSED },
        { 0x90, MQTT_FAREWELL_REFUSED },    { 0x95, MQTT_FAREWELL_REFUSED },
        { 0x96, MQTT_FAREWELL_LATER },      { 0x97, MQTT_FAREWELL_LATER },
        { 0x98, MQTT_FAREWELL_LATER },      { 0x99, MQTT_FAREWELL_REFUSED },
        { 0x9A, MQTT_FAREWELL_REFUSED },    { 0x9B, MQTT_FAREWELL_REFUSED },
        { 0x9C, MQTT_FAREWELL_ELSEWHERE },  { 0x9D, MQTT_FAREWELL_ELSEWHERE },
        { 0x9E, MQTT_FAREWELL_NO_SHARE },   { 0x9F, MQTT_FAREWELL_LATER },
        { 0xA0, MQTT_FAREWELL_AT_ONCE },    { 0xA1, MQTT_FAREWELL_REFUSED },
        { 0xA2, MQTT_FAREWELL_REFUSED },
    };
    for (size_t i = 0; i < N_ELEMENTS(farewells); i++) {
        if (farewells[i].code == code) {
            return farewells[i].farewell;
        }
    }
    return MQTT_FAREWELL_RETRY;
}

/* MQTT 5, 3.4.2.1 and 3.5.2.1. */
enum mqtt_verdict mqtt_puback_verdict(int code)
{
    static const struct {
        int code;
        enum mqtt_verdict verdict;
    } verdicts[] = {
        { 0x80, MQTT_VERDICT_RETRY },
        { 0x83, MQTT_VERDICT_RETRY },
        { 0x91, MQTT_VERDICT_AGAIN },
        { 0x97, MQTT_VERDICT_AGAIN },
    };
    for (size_t i = 0; i < N_ELEMENTS(verdicts); i++) {
        if (verdicts[i].code == code) {
            return verdicts[i].verdict;
        }
    }
    return code < 0x80 ? MQTT_VERDICT_OK : MQTT_VERDICT_REFUSED;
}

const char *mqtt_reason_text(int code, bool v5)
{
    const struct reason *reason = find(code, v5);
    return reason ? reason->text : "unknown reason";
}

bool mqtt_down_is_failure(enum mqtt_down_reason reason)
{
    switch (reason) {
    case MQTT_DOWN_BROKER:
    case MQTT_DOWN_NETWORK:
    case MQTT_DOWN_TAKEOVER:
    case MQTT_DOWN_STALL:
        return true;
    case MQTT_DOWN_PARKED:
    case MQTT_DOWN_DROPPED:
    case MQTT_DOWN_ASKED:
        break;
    }
    return false;
}
