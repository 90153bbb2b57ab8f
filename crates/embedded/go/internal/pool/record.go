package pool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	suffix     = ".json"
	unfinished = ".unfinished-"
)

// readRecord fills record from the file beside the subvolume at path.
func readRecord(path string, record any) error {
	bytes, err := os.ReadFile(path + suffix)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s/%s: %w", filepath.Base(filepath.Dir(path)), filepath.Base(path), ErrNotFound)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(bytes, record); err != nil {
		return fmt.Errorf("%s%s: %w", path, suffix, err)
	}
	return nil
}

// writeRecord replaces the record whole: after a crash it is the old one or
// the new one.
func writeRecord(path string, record any) error {
	bytes, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), unfinished)
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(append(bytes, '\n'))
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path+suffix); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(path))
}

func removeRecord(path string) error {
	err := os.Remove(path + suffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// recorded lists the identifiers that have a record, in their order.
func recorded(directory string) ([]string, error) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, entry := range entries {
		if id, ok := strings.CutSuffix(entry.Name(), suffix); ok && identifier.MatchString(id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// discardUnfinished removes the records that a crash kept from being renamed.
func discardUnfinished(directory string) error {
	left, err := filepath.Glob(filepath.Join(directory, unfinished+"*"))
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

func syncDirectory(path string) error {
	directory, err := os.Open(path)
	if err != nil {
		return err
	}
	defer directory.Close()
	return directory.Sync()
}
