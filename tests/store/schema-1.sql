-- A database of schema 1 as a first release may have left it: fields that came later are missing, others are unknown.
BEGIN TRANSACTION;
CREATE TABLE event (
             id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, topic TEXT NOT NULL, data TEXT NOT NULL);
INSERT INTO event VALUES(1,'2026-11-23T12:00:00.000000+00:00','address-found','{"family":"ipv4","new":"192.0.2.7"}');
CREATE TABLE request (
             id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, argument TEXT NOT NULL);
INSERT INTO request VALUES(1,'unlock','home');
CREATE TABLE state (
             part TEXT NOT NULL, key TEXT NOT NULL, rank INTEGER NOT NULL, value TEXT NOT NULL,
             PRIMARY KEY (part, key)) WITHOUT ROWID;
INSERT INTO state VALUES('accounts','home',0,'{}');
INSERT INTO state VALUES('beliefs','ipv4',0,'{"address":"192.0.2.7","since":"2026-11-23T12:00:00Z","of_old":[1]}');
INSERT INTO state VALUES('gone','x',0,'{"a":1}');
INSERT INTO state VALUES('outbox','1',1,'{"id":"1","notifier":"email","event":{"topic":"test","at":"2026-11-23T12:00:00Z","data":{"n":"1"}}}');
INSERT INTO state VALUES('records','home|h.example.org|ipv4',0,'{"latch":{"code":"badauth","text":"wrong password","since":"2026-11-23T12:00:00Z","fingerprint":"f"}}');
INSERT INTO state VALUES('single','rounds',0,'4');
INSERT INTO state VALUES('single','gone',0,'"x"');
CREATE TABLE stray (
             part TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, found TEXT NOT NULL);
CREATE INDEX event_at ON event (at);
PRAGMA application_id = 1768978273;
PRAGMA user_version = 1;
COMMIT;
