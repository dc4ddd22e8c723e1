package cluster

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// bootstrapMax bounds the making of a data directory, which takes MariaDB 0.4 s and
// MySQL 3 s.
const bootstrapMax = 2 * time.Minute

var (
	//go:embed bootstrap.sql
	mariadbScript string
	//go:embed bootstrap_mysql.sql
	mysqlScript string
)

// systemTables are the files of the mariadb package that fill a new "mysql"
// database, under the names that 10.11 and 11.8 give them. mariadb-install-db runs
// these and more; it takes twice as long and four times the space.
var systemTables = [][]string{
	{"mysql_system_tables.sql", "mariadb_system_tables.sql"},
	{"mysql_system_tables_data.sql", "mariadb_system_tables_data.sql"},
}

// bootstrap makes cfg's data directory unless there is one. It is made under
// another name and renamed when whole: whatever interrupts a first start, the
// next one finds either all of it or nothing.
func bootstrap(ctx context.Context, cfg MariaDBConfig, program Database, lock *os.File) error {
	if _, err := os.Stat(cfg.dataDir()); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, checkMaker(cfg.dataDir(), program))
	}
	script, err := bootstrapSQL(program, cfg.AdminPassword)
	if err != nil {
		return err
	}
	unfinished := cfg.dataDir() + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := os.Mkdir(unfinished, 0o700); err != nil {
		return err
	}
	command := Command{
		Name: cfg.Name + " bootstrap", Path: program.Path, Args: cfg.bootstrapArgs(program, unfinished),
		Dir: cfg.Dir, LogFile: filepath.Join(cfg.Dir, "bootstrap.log"),
		stdin: strings.NewReader(script), inherit: []*os.File{lock},
	}
	if program.MySQL {
		file := filepath.Join(cfg.Dir, "tmp", "bootstrap.sql")
		if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
			return err
		}
		defer os.Remove(file) // the password is in it
		command.stdin, command.Args = nil, append(command.Args, "--init-file="+file)
	}
	p, err := Start(command)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, bootstrapMax)
	defer cancel()
	select {
	case <-p.Done():
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("%s: %w", p.name, ctx.Err()), p.Kill())
	}
	if err := p.Err(); err != nil {
		return err
	}
	return os.Rename(unfinished, cfg.dataDir())
}

// checkMaker refuses a data directory that another product has made: it would not
// start, for reasons that few could read.
func checkMaker(dataDir string, program Database) error {
	_, err := os.Stat(filepath.Join(dataDir, "mysql.ibd")) // MySQL's dictionary
	if mysql := err == nil; mysql != program.MySQL {
		return fmt.Errorf("%s was not made by a server like %s: set $%s or $%s to the program that made it, or remove the directory",
			dataDir, program.Path, mariadbVariable, mysqlVariable)
	}
	return nil
}

// bootstrapArgs leave out durability: a directory that is not whole is thrown
// away, and a clean shutdown ends the procedure. There is no binlog, so that
// the GTID position of every new server is the empty one.
func (c MariaDBConfig) bootstrapArgs(program Database, dataDir string) []string {
	how := []string{"--no-defaults", "--bootstrap", "--loose-feedback=OFF", "--enforce-storage-engine=", "--log-warnings=0"}
	if program.MySQL {
		how = []string{"--no-defaults", "--initialize-insecure", "--skip-log-bin", "--secure-file-priv="}
	}
	return append(append(append(how, userArgs()...), c.redoArgs(program)...),
		"--basedir="+baseDir(program.Path),
		"--datadir="+dataDir,
		"--tmpdir="+filepath.Join(c.Dir, "tmp"),
		"--character-set-server=utf8mb4",
		"--collation-server=utf8mb4_bin",
		"--max-allowed-packet=8M",
		"--innodb-buffer-pool-size=16M",
		"--innodb-flush-log-at-trx-commit=0",
		"--innodb-doublewrite=OFF",
		"--innodb-use-native-aio=OFF",
	)
}

// bootstrapSQL fills in the script for a new server.
func bootstrapSQL(program Database, adminPassword string) (string, error) {
	if strings.ContainsAny(adminPassword, "\x00\r\n") {
		return "", errors.New("the admin password contains a line break or NUL")
	}
	script, tables := mysqlScript, ""
	if !program.MySQL {
		script = mariadbScript
		for _, names := range systemTables {
			text, err := readShare(baseDir(program.Path), names)
			if err != nil {
				return "", err
			}
			tables += string(text)
		}
	}
	return strings.NewReplacer(
		"{system_tables}", tables,
		"{admin}", "'"+AdminUser+"'@'"+loopback+"'",
		"{password}", strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(adminPassword),
	).Replace(script), nil
}

// readShare reads a file of the installation's share directory, which Debian
// calls mysql and newer packages call mariadb, under one of its names.
func readShare(base string, names []string) (text []byte, err error) {
	for _, dir := range []string{"mysql", "mariadb"} {
		for _, name := range names {
			text, err = os.ReadFile(filepath.Join(base, "share", dir, name))
			if !errors.Is(err, fs.ErrNotExist) {
				return text, err
			}
		}
	}
	return nil, fmt.Errorf("system tables of mariadbd: no %s in share/mysql or share/mariadb of %s: %w", strings.Join(names, " or "), base, err)
}
