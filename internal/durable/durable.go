// Package durable writes small files that must be whole: keys, secrets, settings.
//
// Guaranteed: when a call has returned without an error, file and name are on disk;
// whenever power or process ends, what stands under the name is all of the new
// content or what stood there before, never a part and never an empty file. Not
// guaranteed: that two writers of one file agree on which of them was last.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Create writes a file that is not there yet, readable by its owner only. One that
// is there stays as it is: made is false then.
func Create(file string, content []byte) (made bool, err error) {
	draft, err := write(file, content)
	if err != nil {
		return false, err
	}
	defer os.Remove(draft)
	// A link fails where a rename would overwrite.
	if err := os.Link(draft, file); errors.Is(err, fs.ErrExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, syncFolder(file)
}

// Replace writes a file over the one that may be there, readable by its owner only.
func Replace(file string, content []byte) error {
	draft, err := write(file, content)
	if err != nil {
		return err
	}
	if err := os.Rename(draft, file); err != nil {
		return errors.Join(err, os.Remove(draft))
	}
	return syncFolder(file)
}

// write puts the content on disk under a name of its own beside file.
func write(file string, content []byte) (draft string, err error) {
	f, err := os.CreateTemp(filepath.Dir(file), ".draft-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// syncFolder puts the name on disk: a file whose folder is not synced may be gone
// after a power cut, however well it was written.
func syncFolder(file string) error {
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
