// Checks a log with golang.org/x/mod/sumdb, which shares no code with Lockgate: check CASES LOG.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type inclusion struct {
	Index  int64
	Record []byte
	Path   [][]byte
}

type consistency struct {
	Old  int64
	Path [][]byte
}

type state struct {
	Size        int64
	Note        string
	Inclusion   []inclusion
	Consistency []consistency
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(ok bool, why ...any) {
	if !ok {
		fmt.Fprintln(os.Stderr, why...)
		os.Exit(1)
	}
}

func hashes(path [][]byte) []tlog.Hash {
	all := []tlog.Hash{}
	for _, bytes := range path {
		check(len(bytes) == tlog.HashSize, "not a hash")
		all = append(all, tlog.Hash(*(*[32]byte)(bytes)))
	}
	return all
}

// The records, from the bundles of the log's own directory.
func records(root string, size int64) [][]byte {
	all := [][]byte{}
	for index := int64(0); index*256 < size; index++ {
		path := fmt.Sprintf("%03d", index%1000)
		for n := index / 1000; n > 0; n /= 1000 {
			path = fmt.Sprintf("x%03d/%s", n%1000, path)
		}
		if left := size - index*256; left < 256 {
			path = fmt.Sprintf("%s.p/%d", path, left)
		}
		rest, err := os.ReadFile(filepath.Join(root, "tile/entries", path))
		must(err)
		for len(rest) > 0 {
			end := 2 + int(binary.BigEndian.Uint16(rest))
			all = append(all, rest[2:end])
			rest = rest[end:]
		}
	}
	check(int64(len(all)) == size, "records:", len(all))
	return all
}

func main() {
	text, err := os.ReadFile(os.Args[1])
	must(err)
	var cases struct {
		Key    string
		States []state
	}
	must(json.Unmarshal(text, &cases))
	verifier, err := note.NewVerifier(cases.Key)
	must(err)
	verifiers := note.VerifierList(verifier)

	all := records(os.Args[2], cases.States[len(cases.States)-1].Size)
	stored := []tlog.Hash{}
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := []tlog.Hash{}
		for _, index := range indexes {
			found = append(found, stored[index])
		}
		return found, nil
	})
	for n, record := range all {
		more, err := tlog.StoredHashes(int64(n), record, reader)
		must(err)
		stored = append(stored, more...)
	}

	roots := map[int64]tlog.Hash{}
	proofs := 0
	for _, state := range cases.States {
		opened, err := note.Open([]byte(state.Note), verifiers)
		must(err)
		lines := strings.Split(opened.Text, "\n")
		check(lines[0] == verifier.Name(), "origin", lines[0])
		check(lines[1] == strconv.FormatInt(state.Size, 10), "size", lines[1])
		signed, err := base64.StdEncoding.DecodeString(lines[2])
		must(err)
		root := hashes([][]byte{signed})[0]
		ours, err := tlog.TreeHash(state.Size, reader)
		must(err)
		check(ours == root, "root of", state.Size)
		roots[state.Size] = root
		for _, proof := range state.Inclusion {
			check(bytes.Equal(proof.Record, all[proof.Index]), "record", proof.Index)
			path := tlog.RecordProof(hashes(proof.Path))
			must(tlog.CheckRecord(path, state.Size, root, proof.Index, tlog.RecordHash(proof.Record)))
			theirs, err := tlog.ProveRecord(state.Size, proof.Index, reader)
			must(err)
			check(fmt.Sprint(theirs) == fmt.Sprint(path), "proof of", proof.Index, state.Size)
			wrong := append([]byte("x"), proof.Record...)
			check(tlog.CheckRecord(path, state.Size, root, proof.Index, tlog.RecordHash(wrong)) != nil, "a forged record")
			proofs++
		}
		for _, proof := range state.Consistency {
			path := tlog.TreeProof(hashes(proof.Path))
			must(tlog.CheckTree(path, state.Size, root, proof.Old, roots[proof.Old]))
			theirs, err := tlog.ProveTree(state.Size, proof.Old, reader)
			must(err)
			check(fmt.Sprint(theirs) == fmt.Sprint(path), "consistency of", proof.Old, state.Size)
			check(tlog.CheckTree(path, state.Size, root, proof.Old, tlog.Hash{}) != nil, "a forged history")
			proofs++
		}
		changed := strings.Replace(state.Note, "\n"+lines[1]+"\n", "\n"+lines[1]+"0\n", 1)
		_, err = note.Open([]byte(changed), verifiers)
		check(err != nil, "a forged note")
	}
	must(json.NewEncoder(os.Stdout).Encode(map[string]int{"states": len(cases.States), "proofs": proofs, "records": len(all)}))
}
