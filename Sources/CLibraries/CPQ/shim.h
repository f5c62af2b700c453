// libpq 14 or newer (pipeline mode). The fields of an error are character macros, which Swift does not import alike on
// all platforms: wrapped.
#pragma once
#include <postgresql/libpq-fe.h>

static inline char *plexi_pq_error_state(const PGresult *result) { return PQresultErrorField(result, PG_DIAG_SQLSTATE); }
static inline char *plexi_pq_error_message(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
}
static inline char *plexi_pq_error_detail(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
}
static inline char *plexi_pq_error_table(const PGresult *result) { return PQresultErrorField(result, PG_DIAG_TABLE_NAME); }
static inline char *plexi_pq_error_column(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_COLUMN_NAME);
}
static inline char *plexi_pq_error_constraint(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
}
static inline char *plexi_pq_error_function(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);
}
static inline void plexi_pq_drop_notice(void *context, const PGresult *notice) {}
static inline void plexi_pq_ignore_notices(PGconn *connection) {
    PQsetNoticeReceiver(connection, plexi_pq_drop_notice, 0);
}
