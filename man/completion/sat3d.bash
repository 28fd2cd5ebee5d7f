# bash completion for sat3d; written by scripts/man from the option tables in src/cli: do not edit.
_sat3d()
{
    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words=""
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="--help --version segment check convert info bench"
    else
        case "${COMP_WORDS[1]} $before" in
        "segment --dtype") words="bf16 f32" ;;
        "convert --dtype") words="f32 bf16" ;;
        "bench --dtype") words="bf16 f32" ;;
        *)
            case "$word" in
            -*)
                case "${COMP_WORDS[1]}" in
                segment) words=" --model --modality --prompt --prompts --output --label-map --statistics --preview --report --probabilities --threshold --minimum-volume --largest-component --compat --dataset --dtype --orientation --overlap --skip-air --volume --query-cache --manifest --recursive --overwrite --threads --max-memory --json --quiet --verbose --dry-run --help" ;;
                check) words=" --modality --model --volume --threads --max-memory --json --quiet --verbose --dry-run --help" ;;
                convert) words=" --model --text --vocab --output --dtype --query-heads --text-heads --window --spacing --intensity --licence --threads --max-memory --json --quiet --verbose --dry-run --help" ;;
                info) words=" --tensors --verify --threads --max-memory --json --quiet --verbose --dry-run --help" ;;
                bench) words=" --variant --window --prompts --dtype --repeats --threads --max-memory --json --quiet --verbose --dry-run --help" ;;
                esac ;;
            esac ;;
        esac
    fi
    [ -n "$words" ] && COMPREPLY=($(compgen -W "$words" -- "$word"))
    return 0
}
complete -o default -F _sat3d sat3d
