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

// bootstrapMax bounds the making of a data directory, which takes 0.4 s.
const bootstrapMax = time.Minute

//go:embed bootstrap.sql
var bootstrapScript string

// systemTables are the files of the mariadb package that fill a new "mysql"
// database. mariadb-install-db runs these and more; it takes twice as long and
// four times the space.
var systemTables = []string{"mysql_system_tables.sql", "mysql_system_tables_data.sql"}

// bootstrap makes cfg's data directory unless there is one. It is made under
// another name and renamed when whole: whatever interrupts a first start, the
// next one finds either all of it or nothing.
func bootstrap(ctx context.Context, cfg MariaDBConfig, program string, lock *os.File) error {
	if _, err := os.Stat(cfg.dataDir()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	script, err := bootstrapSQL(baseDir(program), cfg.AdminPassword)
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
	p, err := Start(Command{
		Name: cfg.Name + " bootstrap", Path: program, Args: cfg.bootstrapArgs(program, unfinished),
		Dir: cfg.Dir, LogFile: filepath.Join(cfg.Dir, "bootstrap.log"),
		stdin: strings.NewReader(script), inherit: []*os.File{lock},
	})
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

// bootstrapArgs leave out durability: a directory that is not whole is thrown
// away, and a clean shutdown ends the procedure. There is no binlog, so that
// the GTID position of every new server is the empty one.
func (c MariaDBConfig) bootstrapArgs(program, dataDir string) []string {
	return append(append([]string{"--no-defaults", "--bootstrap"}, userArgs()...),
		"--basedir="+baseDir(program),
		"--datadir="+dataDir,
		"--tmpdir="+filepath.Join(c.Dir, "tmp"),
		"--character-set-server=utf8mb4",
		"--collation-server=utf8mb4_bin",
		"--log-warnings=0",
		"--loose-feedback=OFF",
		"--enforce-storage-engine=",
		"--max-allowed-packet=8M",
		"--innodb-buffer-pool-size=16M",
		fmt.Sprintf("--innodb-log-file-size=%dM", c.redoMiB()),
		"--innodb-flush-log-at-trx-commit=0",
		"--innodb-doublewrite=OFF",
		"--innodb-use-native-aio=OFF",
	)
}

// bootstrapSQL fills in the script for a new server.
func bootstrapSQL(base, adminPassword string) (string, error) {
	if strings.ContainsAny(adminPassword, "\x00\r\n") {
		return "", errors.New("the admin password contains a line break or NUL")
	}
	var tables strings.Builder
	for _, name := range systemTables {
		text, err := readShare(base, name)
		if err != nil {
			return "", err
		}
		tables.Write(text)
	}
	return strings.NewReplacer(
		"{system_tables}", tables.String(),
		"{admin}", "'"+AdminUser+"'@'"+loopback+"'",
		"{password}", strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(adminPassword),
	).Replace(bootstrapScript), nil
}

// readShare reads a file of the installation's share directory, which Debian
// calls mysql and newer packages call mariadb.
func readShare(base, name string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(base, "share", "mysql", name))
	if errors.Is(err, fs.ErrNotExist) {
		text, err = os.ReadFile(filepath.Join(base, "share", "mariadb", name))
	}
	if err != nil {
		return nil, fmt.Errorf("system tables of mariadbd: %w", err)
	}
	return text, nil
}
