package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"

	"hongbao/internal/httpapi/bearer"
	"hongbao/internal/keyring"
	"hongbao/internal/settings"
)

// reloader brings what may change while the daemon serves up to the settings file
// and its keys: keys of tokens, the operator's certificate, the level of the log. All of it or
// nothing: after a mistake everything stays as it was.
type reloader struct {
	file  string
	conf  *settings.Settings // that are served by
	keys  *keyring.Keyring
	level *slog.LevelVar
	log   *slog.Logger
}

// run reloads at every signal until ctx ends.
func (r *reloader) run(ctx context.Context, hangups <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
			r.runOnce()
		}
	}
}

func (r *reloader) runOnce() {
	conf, err := settings.Load(r.file)
	var callers, operators *bearer.Authenticator
	if err == nil {
		callers, operators, err = keyring.ReadTokenKeys(conf)
		_, certificate := conf.OperatorTLS() // read anew at every handshake; here it is only checked
		err = errors.Join(err, certificate)
	}
	if err != nil {
		r.log.Error("not reloaded; everything stays as it was", "mistakes", lines(err))
		return
	}
	if err := conf.SetLevel(r.level); err != nil {
		r.log.Error("not reloaded; everything stays as it was", "mistakes", lines(err))
		return
	}
	r.keys.Auth.Replace(callers)
	restart := r.needRestart(conf)
	switch {
	case r.keys.Operators != nil && operators != nil:
		r.keys.Operators.Replace(operators)
	case r.keys.Operators != operators: // there were none, or there are none any more
		restart = append(restart, "keys.Operators")
	}
	r.log.Info("reloaded keys of tokens, certificate and log level", "takes_a_restart", restart)
}

// needRestart names what differs from what is served by and is not reloaded.
func (r *reloader) needRestart(conf *settings.Settings) []string {
	old, now := *r.conf, *conf
	old.Keys.Tokens, old.Keys.Operators, old.Log.Level = now.Keys.Tokens, now.Keys.Operators, now.Log.Level
	return slices.Clone(old.Changed(&now))
}
