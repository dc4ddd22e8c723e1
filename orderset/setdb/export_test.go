package setdb

// PromoteWithoutBar is the negative control of Promote: the next reign is in force,
// and transactions of the old one go on to their COMMIT.
func (d *DB) PromoteWithoutBar(p Primary) error {
	next, err := newTerm(&d.cfg, p)
	if err != nil {
		return err
	}
	old := d.current.Swap(next)
	return old.close()
}
