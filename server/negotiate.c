/* Accept, Accept-Encoding and Content-Type (RFC 9110, sections 8.3, 12.5.1 and 12.5.3). */
#include "server/negotiate.h"

#include <string.h>
#include <strings.h>

#include "proto/npy.h"

static const struct {
    enum rf_body form;
    const char *type;
} forms[] = {
#define X(form, type) {form, type},
    SRV_FORM_MAP(X)
#undef X
};
#define N_FORMS (sizeof forms / sizeof *forms)

const char *srv_form_type(enum rf_body form)
{
    for (size_t i = 0; i < N_FORMS; i++)
        if (forms[i].form == form)
            return forms[i].type;
    return "application/octet-stream";
}

/* How exactly the range "type/subtype" covers the type: 3 itself, 2 its family, 1 anything, 0 not.
 */
static int range_match(const char *range, size_t len, const char *type)
{
    const size_t family = (size_t)(strchr(type, '/') - type) + 1;
    if (len == strlen(type) && strncasecmp(range, type, len) == 0)
        return 3;
    if (len == family + 1 && strncasecmp(range, type, family) == 0 && range[family] == '*')
        return 2;
    return len == 3 && memcmp(range, "*/*", 3) == 0 ? 1 : 0;
}

/* "0.25" -> 250; anything odd counts as 1, as if it were not there. */
static int parse_quality(const char *p, size_t len)
{
    if (len == 0 || (p[0] != '0' && p[0] != '1') || (len > 1 && p[1] != '.'))
        return 1000;
    int q = (p[0] - '0') * 1000, unit = 100;
    for (size_t i = 2; i < len && unit > 0; i++, unit /= 10) {
        if (p[i] < '0' || p[i] > '9')
            return 1000;
        q += (p[i] - '0') * unit;
    }
    return q > 1000 ? 1000 : q;
}

/* The quality in ";a=b; q=0.5" of `len` characters. */
static int range_quality(const char *params, size_t len)
{
    for (size_t i = 0; i < len;) {
        i++; /* the ';' */
        while (i < len && (params[i] == ' ' || params[i] == '\t'))
            i++;
        size_t end = i;
        while (end < len && params[end] != ';')
            end++;
        if (end - i > 2 && (params[i] == 'q' || params[i] == 'Q') && params[i + 1] == '=') {
            size_t last = end;
            while (last > i + 2 && (params[last - 1] == ' ' || params[last - 1] == '\t'))
                last--;
            return parse_quality(params + i + 2, last - i - 2);
        }
        i = end;
    }
    return 1000;
}

/* One of a list: "text/plain; q=0.5". */
struct item {
    const char *name;
    size_t len;
    int quality;
};

/* The list's next one; false at its end. */
static bool next_item(const char **at, struct item *item)
{
    const char *p = *at + strspn(*at, " \t,");
    const size_t all = strcspn(p, ","), params = strcspn(p, ",;");
    *item =
        (struct item){.name = p, .len = params, .quality = range_quality(p + params, all - params)};
    while (item->len > 0 && (p[item->len - 1] == ' ' || p[item->len - 1] == '\t'))
        item->len--;
    *at = p + all;
    return all > 0;
}

/* What the most exact range says of the type: 0 to 1000. */
static int type_quality(const char *accept, const char *type)
{
    int best = 0, quality = 0;
    struct item item;
    while (next_item(&accept, &item)) {
        const int match = range_match(item.name, item.len, type);
        if (match > best) {
            best = match;
            quality = item.quality;
        }
    }
    return quality;
}

bool srv_accept_form(const char *accept, enum rf_body *form)
{
    int best = 0;
    *form = RF_BODY_JSON;
    if (!accept || !accept[strspn(accept, " \t,")])
        return true;
    for (size_t i = 0; i < N_FORMS; i++) {
        const int quality = type_quality(accept, forms[i].type);
        if (quality > best) {
            best = quality;
            *form = forms[i].form;
        }
    }
    return best > 0;
}

bool srv_accepts_open_metrics(const char *accept)
{
    return accept && type_quality(accept, "application/openmetrics-text") >
                         type_quality(accept, "text/plain");
}

enum srv_coding srv_accept_coding(const char *accept)
{
    static const struct {
        const char *name;
        enum srv_coding coding;
    } known[] = {{"gzip", SRV_GZIP},
                 {"x-gzip", SRV_GZIP},
                 {"deflate", SRV_DEFLATE},
                 {"identity", SRV_IDENTITY}};
    enum srv_coding coding = SRV_IDENTITY;
    int best = 0;
    struct item item;
    while (accept && next_item(&accept, &item))
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (item.quality > best && item.len == strlen(known[i].name) &&
                strncasecmp(item.name, known[i].name, item.len) == 0) {
                best = item.quality;
                coding = known[i].coding;
            }
    return coding;
}

enum rf_body srv_body_form(const char *content_type, const char *body, size_t len)
{
    const size_t type = content_type ? strcspn(content_type, "; \t") : 0;
    if (rf_npy_is(body, len))
        return RF_BODY_NPY;
    for (size_t i = 0; i < N_FORMS; i++)
        if (type > 0 && type == strlen(forms[i].type) &&
            strncasecmp(content_type, forms[i].type, type) == 0)
            return forms[i].form;
    return RF_BODY_JSON;
}
