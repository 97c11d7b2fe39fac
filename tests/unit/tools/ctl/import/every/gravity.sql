-- Every table and column that gravity.db has, for versions 1 to 21 of it; the test makes the database.
CREATE TABLE "group" (id INTEGER PRIMARY KEY, enabled BOOLEAN, name TEXT, date_added INTEGER, date_modified INTEGER, description TEXT);
CREATE TABLE domainlist (id INTEGER PRIMARY KEY, type INTEGER, domain TEXT, enabled BOOLEAN, date_added INTEGER, date_modified INTEGER,
    comment TEXT);
CREATE TABLE adlist (id INTEGER PRIMARY KEY, address TEXT, enabled BOOLEAN, date_added INTEGER, date_modified INTEGER, comment TEXT,
    date_updated INTEGER, number INTEGER, invalid_domains INTEGER, status INTEGER, abp_entries INTEGER, type INTEGER);
CREATE TABLE client (id INTEGER PRIMARY KEY, ip TEXT, date_added INTEGER, date_modified INTEGER, comment TEXT);
CREATE TABLE adlist_by_group (adlist_id INTEGER, group_id INTEGER, PRIMARY KEY (adlist_id, group_id));
CREATE TABLE domainlist_by_group (domainlist_id INTEGER, group_id INTEGER, PRIMARY KEY (domainlist_id, group_id));
CREATE TABLE client_by_group (client_id INTEGER, group_id INTEGER, PRIMARY KEY (client_id, group_id));
CREATE TABLE gravity (domain TEXT, adlist_id INTEGER);
CREATE TABLE antigravity (domain TEXT, adlist_id INTEGER);
CREATE TABLE info (property TEXT PRIMARY KEY, value TEXT);
CREATE TABLE domain_audit (id INTEGER PRIMARY KEY AUTOINCREMENT, domain TEXT, date_added INTEGER);
CREATE VIEW vw_adlist AS SELECT DISTINCT address, id FROM adlist WHERE enabled = 1 ORDER BY id;
INSERT INTO info VALUES ('version', '20');
INSERT INTO domain_audit (domain, date_added) VALUES ('seen.example', 1);
INSERT INTO "group" VALUES (0, 1, 'Default', 1, 1, 'The default group'), (1, 1, 'Kids', 1, 1, NULL), (2, 0, 'Off', 1, 1, NULL),
    (3, 1, 'Nobody', 1, 1, NULL);
INSERT INTO adlist VALUES (1, 'https://lists.example/hosts', 1, 1, 1, 'all', 1, 100000, 2, 1, 0, 0),
    (2, 'https://lists.example/kids', 1, 1, 1, NULL, 1, 5, 0, 2, 5, 0), (3, 'https://lists.example/good', 1, 1, 1, '', 1, 5, 0, 2, 5, 1),
    (4, 'https://lists.example/off', 0, 1, 1, '', 1, 5, 0, 2, 5, 0), (5, 'ftp://lists.example/x', 1, 1, 1, '', 1, 5, 0, 2, 5, 0),
    (6, 'https://lists.example/nobody', 1, 1, 1, '', 1, 5, 0, 2, 5, 0);
INSERT INTO adlist_by_group VALUES (1, 0), (1, 1), (2, 1), (3, 0), (4, 0), (5, 0), (6, 3);
INSERT INTO gravity VALUES ('ads.example', 1);
INSERT INTO antigravity VALUES ('good.example', 3);
INSERT INTO domainlist VALUES (1, 0, 'good.example', 1, 1, 1, 'why'), (2, 1, 'bad.example', 1, 1, 1, NULL),
    (3, 2, '(\.|^)ok\.example$', 1, 1, 1, NULL), (4, 3, '^ads[0-9]+\.', 1, 1, 1, NULL), (5, 1, 'off.example', 0, 1, 1, NULL),
    (6, 3, '^a\.example$;querytype=A,AAAA', 1, 1, 1, NULL), (7, 3, '^b\.example$;querytype=!A;reply=NXDOMAIN', 1, 1, 1, NULL),
    (8, 3, '^c\.example$;invert', 1, 1, 1, NULL), (9, 3, '^d\.example$;reply=192.0.2.1', 1, 1, 1, NULL),
    (10, 9, 'type.example', 1, 1, 1, NULL), (11, 1, 'nobody.example', 1, 1, 1, NULL), (12, 1, 'not a name', 1, 1, 1, NULL);
INSERT INTO domainlist_by_group VALUES (1, 0), (1, 1), (2, 1), (3, 0), (4, 0), (4, 1), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0),
    (11, 3), (12, 0);
INSERT INTO client VALUES (1, '192.0.2.50', 1, 1, 'tablet'), (2, '192.0.2.64/28', 1, 1, NULL), (3, '02:00:5e:10:00:01', 1, 1, NULL),
    (4, 'tablet.lan', 1, 1, NULL), (5, ':eth1', 1, 1, NULL), (6, '192.0.2.9', 1, 1, NULL);
INSERT INTO client_by_group VALUES (1, 1), (2, 0), (2, 1), (3, 0), (4, 1), (5, 1), (6, 2);
