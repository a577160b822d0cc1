/* SPDX-License-Identifier: Apache-2.0 */
/* Publishing on a link. See link.h. */
#include <mosquitto.h>
#include <mqtt_protocol.h>

#include "worker/mqtt/link_internal.h"

static int add_text(mosquitto_property **list, int id, const char *text)
{
    return text ? mosquitto_property_add_string(list, id, text) : MOSQ_ERR_SUCCESS;
}

static int make_properties(const struct mqtt_publication *publication, mosquitto_property **list)
{
    int code = add_text(list, MQTT_PROP_CONTENT_TYPE, publication->content_type);
    code = code ? code : add_text(list, MQTT_PROP_RESPONSE_TOPIC, publication->response_topic);
    if (code == MOSQ_ERR_SUCCESS && publication->expiry_s > 0) {
        code = mosquitto_property_add_int32(list, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL,
                                            publication->expiry_s);
    }
    if (code == MOSQ_ERR_SUCCESS && publication->correlation) {
        code = mosquitto_property_add_binary(list, MQTT_PROP_CORRELATION_DATA,
                                             publication->correlation,
                                             publication->correlation_length);
    }
    for (size_t i = 0; i < publication->n_user && code == MOSQ_ERR_SUCCESS; i++) {
        code = mosquitto_property_add_string_pair(
            list, MQTT_PROP_USER_PROPERTY, publication->user[i].name, publication->user[i].value);
    }
    return code;
}

enum err link_publish(struct link *link, const struct mqtt_publication *publication, int *ret_id,
                      struct error *reterr)
{
    mosquitto_property *properties = NULL;
    int code = link->v5 ? make_properties(publication, &properties) : MOSQ_ERR_SUCCESS;
    if (code == MOSQ_ERR_SUCCESS) {
        seam_enter(link->seam);
        code = mosquitto_publish_v5(link->mosq, ret_id, publication->topic,
                                    (int)publication->length, publication->payload,
                                    publication->qos, publication->retained, properties);
        (void)seam_leave();
    }
    mosquitto_property_free_all(&properties);
    return code == MOSQ_ERR_SUCCESS
               ? ERR_OK
               : error_set(reterr, ERR_INVALID, "the message cannot be published: %s",
                           mosquitto_strerror(code));
}
