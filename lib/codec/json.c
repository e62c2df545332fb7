/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of JSON: reading and building them, and printing, which cJSON does not do exactly. A
 * builder that ran out of memory marks its tree, and printing refuses a marked tree. */
#include "codec/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/time.h"
#include "codec/number.h"

#define TWO_53    9007199254740992.0
#define MAX_DEPTH 1000 /* of what is printed; the parser's limit is lower */
/* Marks a node that lost a member; cJSON looks at the lowest ten bits only and copies the rest. */
#define BROKEN (1 << 16)

void eop_json_free(eop_json *json) {
    cJSON_Delete(json);
}

static int kind_of(const eop_json *json) {
    return json == NULL ? cJSON_Invalid : json->type & 0xff;
}

/* -- printing: cJSON's own takes two doubles for equal that differ in the last bits -- */

void eop_json_put_string(eop_buf *buf, const char *text, size_t size) {
    static const char hex[] = "0123456789abcdef";
    eop_buf_put(buf, "\"", 1);
    for (size_t i = 0; i < size;) {
        size_t run = i;
        while (run < size && (unsigned char)text[run] >= 0x20 && (unsigned char)text[run] < 0x80 &&
               text[run] != '"' && text[run] != '\\') {
            run++;
        }
        eop_buf_put(buf, text + i, run - i);
        i = run;
        if (i == size) {
            break;
        }
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80) {
            size_t end = i;
            while (end < size && (unsigned char)text[end] >= 0x80) {
                end++;
            }
            size_t valid = eop_utf8_valid(text + i, end - i);
            eop_buf_put(buf, text + i, valid);
            i += valid;
            if (valid == 0) {
                eop_buf_put(buf, "\xef\xbf\xbd", 3); /* U+FFFD for a byte that is not UTF-8 */
                i++;
            }
            continue;
        }
        const char *found = c == '\0' ? NULL : strchr("\"\"\\\\\bb\ff\nn\rr\tt", c);
        char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        if (found != NULL) {
            escape[1] = found[1];
        }
        eop_buf_put(buf, escape, found != NULL ? 2 : 6);
        i++;
    }
    eop_buf_put(buf, "\"", 1);
}

static void put_number(eop_buf *buf, double value) {
    if (!isfinite(value)) {
        eop_buf_put(buf, "null", 4);
    } else if (value == floor(value) && fabs(value) <= TWO_53 &&
               !(value == 0.0 && signbit(value))) {
        eop_buf_printf(buf, "%lld", (long long)value);
    } else {
        char text[32];
        size_t size = eop_format_double(text, value);
        eop_buf_put(buf, text, size);
        if (fabs(value) > TWO_53 && strspn(text, "-0123456789") == size) {
            eop_buf_put(buf, ".0", 2); /* not an integer that the parser would refuse */
        }
    }
}

static void put_break(eop_buf *buf, bool pretty, int depth) {
    if (!pretty) {
        return;
    }
    eop_buf_put(buf, "\n", 1);
    for (int i = 0; i < depth; i++) {
        eop_buf_put(buf, "  ", 2);
    }
}

static void put_value(eop_buf *buf, const cJSON *json, bool pretty, int depth) {
    int kind = json->type & 0xff;
    if ((json->type & BROKEN) != 0 || depth > MAX_DEPTH) {
        buf->failed = true;
        return;
    }
    switch (kind) {
    case cJSON_False:
        eop_buf_put(buf, "false", 5);
        return;
    case cJSON_True:
        eop_buf_put(buf, "true", 4);
        return;
    case cJSON_Number:
        put_number(buf, json->valuedouble);
        return;
    case cJSON_String:
        eop_json_put_string(buf, json->valuestring, strlen(json->valuestring));
        return;
    case cJSON_Array:
    case cJSON_Object:
        break;
    default:
        eop_buf_put(buf, "null", 4);
        return;
    }
    eop_buf_put(buf, kind == cJSON_Array ? "[" : "{", 1);
    for (const cJSON *member = json->child; member != NULL; member = member->next) {
        put_break(buf, pretty, depth + 1);
        if (kind == cJSON_Object) {
            eop_json_put_string(buf, member->string, strlen(member->string));
            eop_buf_put(buf, ": ", pretty ? 2 : 1);
        }
        put_value(buf, member, pretty, depth + 1);
        if (member->next != NULL) {
            eop_buf_put(buf, ",", 1);
        }
    }
    if (json->child != NULL) {
        put_break(buf, pretty, depth);
    }
    eop_buf_put(buf, kind == cJSON_Array ? "]" : "}", 1);
}

static char *print(const eop_json *json, bool pretty) {
    eop_buf buf = {0};
    if (json == NULL) {
        return NULL;
    }
    put_value(&buf, json, pretty, 0);
    char *text = buf.failed ? NULL : eop_buf_take(&buf);
    eop_buf_dispose(&buf);
    return text;
}

char *eop_json_print(const eop_json *json) {
    return print(json, false);
}

char *eop_json_print_pretty(const eop_json *json) {
    return print(json, true);
}

/* -- reading -- */

eop_json_kind eop_json_type(const eop_json *json) {
    switch (kind_of(json)) {
    case cJSON_False:
    case cJSON_True:
        return EOP_JSON_BOOL;
    case cJSON_Number:
        return EOP_JSON_NUMBER;
    case cJSON_String:
        return EOP_JSON_STRING;
    case cJSON_Array:
        return EOP_JSON_ARRAY;
    case cJSON_Object:
        return EOP_JSON_OBJECT;
    default:
        return EOP_JSON_NULL;
    }
}

const eop_json *eop_json_get(const eop_json *object, const char *key) {
    return kind_of(object) == cJSON_Object ? cJSON_GetObjectItemCaseSensitive(object, key) : NULL;
}

const char *eop_json_string(const eop_json *object, const char *key, const char *otherwise) {
    const char *text = eop_json_text(eop_json_get(object, key));
    return text != NULL ? text : otherwise;
}

double eop_json_number(const eop_json *object, const char *key, double otherwise) {
    const eop_json *member = eop_json_get(object, key);
    return kind_of(member) == cJSON_Number ? member->valuedouble : otherwise;
}

int64_t eop_json_integer(const eop_json *object, const char *key, int64_t otherwise) {
    const eop_json *member = eop_json_get(object, key);
    if (kind_of(member) == cJSON_Number) {
        double value = member->valuedouble;
        return value == floor(value) && fabs(value) <= TWO_53 ? (int64_t)value : otherwise;
    }
    const char *text = eop_json_text(member);
    int64_t value = 0;
    if (text != NULL && eop_int64_text(&value, text, strlen(text)) &&
        (value > (int64_t)TWO_53 || value < -(int64_t)TWO_53)) {
        return value;
    }
    return otherwise;
}

bool eop_json_bool(const eop_json *object, const char *key, bool otherwise) {
    int kind = kind_of(eop_json_get(object, key));
    return kind == cJSON_True || (kind != cJSON_False && otherwise);
}

size_t eop_json_size(const eop_json *json) {
    size_t n = 0;
    for (const eop_json *member = eop_json_first(json); member != NULL; member = member->next) {
        n++;
    }
    return n;
}

const eop_json *eop_json_first(const eop_json *json) {
    int kind = kind_of(json);
    return kind == cJSON_Array || kind == cJSON_Object ? json->child : NULL;
}

const eop_json *eop_json_next(const eop_json *member) {
    return member != NULL ? member->next : NULL;
}

const char *eop_json_key(const eop_json *member) {
    return member != NULL ? member->string : NULL;
}

const char *eop_json_text(const eop_json *json) {
    return kind_of(json) == cJSON_String ? json->valuestring : NULL;
}

double eop_json_value(const eop_json *json) {
    int kind = kind_of(json);
    return kind == cJSON_Number ? json->valuedouble : kind == cJSON_True ? 1.0 : 0.0;
}

/* -- building -- */

eop_json *eop_json_object(void) {
    return cJSON_CreateObject();
}

eop_json *eop_json_array(void) {
    return cJSON_CreateArray();
}

eop_json *eop_json_new_string(const char *value) {
    return value != NULL ? cJSON_CreateString(value) : cJSON_CreateNull();
}

eop_json *eop_json_new_number(double value) {
    return cJSON_CreateNumber(value);
}

eop_json *eop_json_new_bool(bool value) {
    return cJSON_CreateBool(value);
}

void eop_json_set(eop_json *object, const char *key, eop_json *value) {
    if (kind_of(object) != cJSON_Object || value == NULL) {
        if (object != NULL) {
            object->type |= BROKEN;
        }
        cJSON_Delete(value);
        return;
    }
    const eop_json *old = eop_json_get(object, key);
    bool done = false;
    if (old != NULL) {
        done = cJSON_ReplaceItemInObjectCaseSensitive(object, key, value) != 0;
    } else {
        done = cJSON_AddItemToObject(object, key, value) != 0;
    }
    if (!done) {
        object->type |= BROKEN;
        cJSON_Delete(value);
    }
}

void eop_json_set_string(eop_json *object, const char *key, const char *value) {
    eop_json_set(object, key, eop_json_new_string(value));
}

void eop_json_set_number(eop_json *object, const char *key, double value) {
    eop_json_set(object, key, cJSON_CreateNumber(value));
}

void eop_json_set_integer(eop_json *object, const char *key, int64_t value) {
    if (value <= (int64_t)TWO_53 && value >= -(int64_t)TWO_53) {
        eop_json_set_number(object, key, (double)value);
        return;
    }
    char *text = eop_format("%lld", (long long)value);
    eop_json_set(object, key, text != NULL ? cJSON_CreateString(text) : NULL);
    eop_free(text);
}

void eop_json_set_bool(eop_json *object, const char *key, bool value) {
    eop_json_set(object, key, cJSON_CreateBool(value));
}

void eop_json_set_time(eop_json *object, const char *key, edgeops_time value) {
    char text[48];
    eop_format_time(text, value);
    eop_json_set_string(object, key, text);
}

void eop_json_append(eop_json *array, eop_json *value) {
    if (kind_of(array) != cJSON_Array || value == NULL || !cJSON_AddItemToArray(array, value)) {
        if (array != NULL) {
            array->type |= BROKEN;
        }
        cJSON_Delete(value);
    }
}

void eop_json_append_string(eop_json *array, const char *value) {
    eop_json_append(array, eop_json_new_string(value));
}

void eop_json_append_format(eop_json *array, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = eop_vformat(format, args);
    va_end(args);
    eop_json_append(array, text != NULL ? eop_json_new_string(text) : NULL);
    eop_free(text);
}

void eop_json_remove(eop_json *object, const char *key) {
    if (kind_of(object) == cJSON_Object) {
        cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    }
}

eop_json *eop_json_copy(const eop_json *json) {
    return json != NULL ? cJSON_Duplicate(json, true) : NULL;
}
