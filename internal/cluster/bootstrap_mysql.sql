-- What a new mysqld executes with --init-file, one statement a line. The words in
-- braces are filled in by bootstrapSQL.
CREATE USER {admin} IDENTIFIED BY '{password}';
GRANT ALL PRIVILEGES ON *.* TO {admin} WITH GRANT OPTION;
-- Of the accounts that MySQL has made, a root without password among them, those
-- that own views stay: they are locked.
DROP USER 'root'@'localhost';
