/** The `User-Agent` of a client's requests, unless the caller sets another: the package's version. */
export const USER_AGENT = "sluice/0.1.0";
