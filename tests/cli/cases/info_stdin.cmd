printf '%s\n' 'gene	cell	count' 'CD3E	c1	5' 'CD3E	c2	3' 'LYZ	c2	2' | gzip | "$QUELL" info -
printf '%s\n' 'c1 c2' 'CD3E 5 3' 'LYZ 0 x' | "$QUELL" info -
