package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"hongbao/internal/keyring"
	"hongbao/internal/settings"
)

// checkCmd says before a start what the start would say, and not only its first
// mistake.
type checkCmd struct {
	Config string `help:"The settings file." default:"hongbao.yaml" env:"HONGBAO_CONFIG" type:"path"`
	JSON   bool   `help:"Print {\"mistakes\": […]}."`
}

// Run reads and asks as far as one mistake does not hide the next: a key that is
// missing hides no database.
func (c checkCmd) Run(ctx context.Context) error {
	conf, err := settings.Read(c.Config)
	found := []error{err}
	if conf != nil {
		keys, err := keyring.Read(conf)
		found = append(found, err, keys.Examine(ctx, conf))
		keys.Close()
	}
	err = errors.Join(found...)
	if c.JSON {
		return c.printJSON(err)
	}
	if err == nil {
		fmt.Printf("%s: settings, keys and databases are in order\n", c.Config)
	}
	return err
}

func (c checkCmd) printJSON(err error) error {
	enc := json.NewEncoder(os.Stdout)
	enc.SetIndent("", "  ")
	mistakes := lines(err)
	if err := enc.Encode(map[string][]string{"mistakes": mistakes}); err != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("%s: %d mistakes", c.Config, len(mistakes))
	}
	return nil
}

// lines are the single mistakes of an error that joins them.
func lines(err error) []string {
	all := []string{}
	if err == nil {
		return all
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, line)
		}
	}
	return all
}
