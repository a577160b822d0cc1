/* SPDX-License-Identifier: Apache-2.0 */
/* Reason codes of MQTT 3.1.1 and 5: text and what to do about them. Pure. Thread: any. */
#pragma once

#include "worker/mqtt/session.h"

enum mqtt_verdict {
    MQTT_VERDICT_OK,
    MQTT_VERDICT_RETRY,   /* may go better later */
    MQTT_VERDICT_REFUSED, /* retrying cannot mend it: credentials, rights, our request */
    MQTT_VERDICT_VERSION, /* the broker does not speak this protocol version */
    MQTT_VERDICT_AGAIN,   /* at once with another packet id (0x91) */
    MQTT_VERDICT_NO_SHARE /* no shared subscriptions (0x9E) */
};

/* What a DISCONNECT of the broker means for a session. */
enum mqtt_farewell {
    MQTT_FAREWELL_RETRY,      /* may go better next time: back-off, next broker of the list */
    MQTT_FAREWELL_AT_ONCE,    /* nothing is wrong: the broker ends connections of a certain age */
    MQTT_FAREWELL_LATER,      /* the broker wants rest: no attempt within the next seconds */
    MQTT_FAREWELL_TAKEN_OVER, /* another client came with the same client id */
    MQTT_FAREWELL_ELSEWHERE,  /* another broker is to be used */
    MQTT_FAREWELL_NO_SHARE,   /* shared subscriptions are not supported */
    MQTT_FAREWELL_REFUSED     /* retrying cannot mend it: rights, our request */
};

#define MQTT_REASON_UNMATCHED  0x10 /* PUBACK: nobody has subscribed */
#define MQTT_REASON_TAKEN_OVER 0x8E
#define MQTT_REASON_TOO_LARGE  0x95

/* mqtt_connack_verdict judges a CONNACK; v5 false: a 3.1.1 return code. */
enum mqtt_verdict mqtt_connack_verdict(int code, bool v5);
/* mqtt_suback_verdict judges one code of a SUBACK. */
enum mqtt_verdict mqtt_suback_verdict(int code, bool v5);
/* mqtt_farewell judges the code of a DISCONNECT of the broker (MQTT 5); a code that the standard
 * does not give to servers, or not at all, is RETRY. */
enum mqtt_farewell mqtt_farewell(int code);
/* mqtt_puback_verdict judges the code of a PUBACK, PUBREC or PUBCOMP of MQTT 5: OK, AGAIN (the
 * broker has no room), RETRY (it says no cause) or REFUSED (this message). */
enum mqtt_verdict mqtt_puback_verdict(int code);
/* mqtt_reason_text returns a text for a code; v5 false: a 3.1.1 return code of a CONNACK. */
const char *mqtt_reason_text(int code, bool v5);
/* mqtt_down_is_failure tells whether a connection ended, or could not be made, for a cause outside
 * of its owner, who may set a limit to the time of such failures. */
bool mqtt_down_is_failure(enum mqtt_down_reason reason);
