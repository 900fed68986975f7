# Completion of ipwatch for bash. For this shell:     source <(ipwatch completion bash)
# For every new one:    ipwatch completion bash >~/.local/share/bash-completion/completions/ipwatch

_ipwatch() {
    local word meaning IFS=$'\n'
    # As the shell would read them; no name of ours has a quote in it.
    local -a words=("${COMP_WORDS[@]:1:COMP_CWORD-1}" ".${COMP_WORDS[COMP_CWORD]}")
    words=("${words[@]//[\"\'\\]/}")
    COMPREPLY=()
    while IFS=$'\t' read -r word meaning; do
        if [[ $word == :files ]]; then
            # The shell's own completion of file names, where it can be asked for (bash 4).
            compopt -o default 2>/dev/null || COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]#=}"))
        else
            COMPREPLY+=("$word")
        fi
    done < <("${1/#\~/$HOME}" __complete "${words[@]}" 2>/dev/null)
}

complete -F _ipwatch ipwatch
