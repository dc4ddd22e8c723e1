-- What a new mariadbd executes with --bootstrap, one statement a line. The
-- words in braces are filled in by bootstrapSQL.
CREATE DATABASE mysql;
USE mysql;
SET @auth_root_socket=NULL;

{system_tables}

-- Of the accounts that MariaDB's script has made, a root without password among
-- them, only mariadb.sys stays: it is locked and owns views.
DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';
DELETE FROM mysql.proxies_priv;

-- Accounts cannot be made before this: --bootstrap starts without grant tables.
FLUSH PRIVILEGES;
CREATE USER {admin} IDENTIFIED BY '{password}';
GRANT ALL PRIVILEGES ON *.* TO {admin} WITH GRANT OPTION;
